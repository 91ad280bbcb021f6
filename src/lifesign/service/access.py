"""What a caller may do, asked in one place by every operation."""

from lifesign.core.errors import ForbiddenError, ReadOnlyError
from lifesign.core.model import Owner
from lifesign.core.scope import Grant, Scope


def require(scope: Scope, needed: Grant) -> None:
    """Raise ForbiddenError unless the caller's grant includes `needed`."""
    if not scope.allows(needed):
        raise ForbiddenError(
            f"{scope.actor} has the grant {scope.grant.value}; this needs {needed.value}.",
            remedy=f"Use a token or an account with the grant {needed.value}.",
        )


def require_writable(owner: Owner, *, what: str, by: Owner, file: str) -> None:
    """Raise ReadOnlyError for what the configuration file owns, unless the file itself is writing."""
    if owner is Owner.FILE and by is not Owner.FILE:
        raise ReadOnlyError(
            f"{what} belongs to the configuration file {file or '(given at the start)'} and is read-only here.",
            remedy="Change it in that file and start Lifesign again.",
        )
