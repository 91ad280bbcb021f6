"""The errors that Lifesign raises at those who misuse it; each says what to do and which status it is."""


class LifesignError(Exception):
    """Base of our errors. `status` is the HTTP status, `code` the stable machine word."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class InvalidError(LifesignError):
    """What was given cannot be used. `problems` name the field and the reason, one each."""

    status = 422
    code = "invalid"

    def __init__(
        self, message: str, *, problems: tuple[tuple[str, str], ...] = (), remedy: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.problems = problems


class NotFoundError(LifesignError):
    """There is no such thing, or not for this caller."""

    status = 404
    code = "not_found"


class ConflictError(LifesignError):
    """Somebody else was first, or the name is taken."""

    status = 409
    code = "conflict"


class StaleError(LifesignError):
    """The thing changed since it was read (If-Match failed)."""

    status = 412
    code = "stale"


class ReadOnlyError(LifesignError):
    """The thing belongs to the configuration file and is read-only elsewhere."""

    status = 409
    code = "read_only"


class UnauthenticatedError(LifesignError):
    """No valid session or token came with the request."""

    status = 401
    code = "unauthenticated"


class ForbiddenError(LifesignError):
    """The caller is known but may not do this."""

    status = 403
    code = "forbidden"


class BusyError(LifesignError):
    """A bound was reached; trying again later is right."""

    status = 503
    code = "busy"


class StorageError(BusyError):
    """The database cannot do its work now: disk full, file locked, server away. What was asked is not done."""

    code = "storage"
