"""Who may come in: set-up, passwords, sessions, tokens."""

from datetime import datetime, timedelta

from lifesign.core.scope import Grant, Scope
from lifesign.service.views import TokenView


class People:
    """The operations on accounts, sessions and tokens."""

    async def setup_token(self, now: datetime) -> str | None:
        """A one-time token for the set-up link, good for 15 minutes; None once a user exists."""
        raise NotImplementedError

    async def complete_setup(self, token: str, *, email: str, password: str) -> str:
        """Make the first user (admin) and a session; the session token."""
        raise NotImplementedError

    async def log_in(self, email: str, password: str, *, remote: str) -> str:
        """A session token. Raises UnauthenticatedError (the same for all reasons) or BusyError when throttled."""
        raise NotImplementedError

    async def session(self, token: str) -> Scope:
        """Who holds the session. Raises UnauthenticatedError."""
        raise NotImplementedError

    async def log_out(self, token: str) -> None:
        """End the session."""
        raise NotImplementedError

    async def create_token(
        self,
        scope: Scope,
        *,
        name: str,
        grant: Grant,
        expires_in: timedelta | None,
        kind: str = "user",
    ) -> TokenView:
        """A new API token; `secret` is set this once."""
        raise NotImplementedError

    async def tokens(self, scope: Scope) -> tuple[TokenView, ...]:
        """The tokens, without secrets."""
        raise NotImplementedError

    async def revoke_token(self, scope: Scope, id: str) -> None:
        """End a token. Raises NotFoundError."""
        raise NotImplementedError

    async def authenticate_token(self, secret: str) -> Scope:
        """Who holds the token. Raises UnauthenticatedError."""
        raise NotImplementedError
