"""Who may come in: set-up, passwords, sessions, tokens."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from lifesign.clock import Clock
from lifesign.core.errors import ConflictError, InvalidError, UnauthenticatedError
from lifesign.core.scope import Grant, Scope, system_scope
from lifesign.service.access import require
from lifesign.service.keys import (
    TOKEN_KINDS,
    TokenKind,
    is_token,
    new_id,
    new_session,
    new_token,
    prefix_of,
)
from lifesign.service.passwords import MAX_LENGTH, Passwords, check_password
from lifesign.service.throttle import SignInLimits
from lifesign.service.views import TokenView
from lifesign.store import Store
from lifesign.store.values import ApiToken, Session, User

SETUP_FOR = timedelta(minutes=15)
SESSION_IDLE = timedelta(hours=12)
SESSION_LIFE = timedelta(days=14)
TOUCH_EVERY_S = 60.0
"""How exactly the last use of a session or token is known."""
MAX_TOKEN_LIFE = timedelta(days=3660)

_EMAIL = re.compile(r"""[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\]+""")
"""Roughly an address: that mail arrives there nobody can tell from its form."""

_WRONG = "The e-mail address or the password is wrong."


class People:
    """The operations on accounts, sessions and tokens."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = Passwords()
        self._limits = SignInLimits(clock)
        self._wait = wait
        self._touched: dict[str, float] = {}
        self._setup: tuple[str, datetime] | None = None

    async def is_set_up(self) -> bool:
        """Whether there is a user, so that people sign in instead of setting up."""
        return await self._store.people.count_users() > 0

    async def setup_token(self, now: datetime) -> str | None:
        """A one-time token for the set-up link, good for 15 minutes; None once a user exists.

        Asked again while it is good, the same one: a link that was printed must not die by a second look.
        """
        if await self.is_set_up():
            return None
        if self._setup is not None and self._setup[1] > now:
            return self._setup[0]
        token = new_session()
        self._setup = (token, now + SETUP_FOR)
        await self._store.people.add_setup_link(
            system_scope("setup"), token, created_at=now, expires_at=now + SETUP_FOR
        )
        return token

    async def complete_setup(
        self, token: str, *, email: str, password: str, remote: str = ""
    ) -> str:
        """Make the first user, an admin, and a session; the session's token.

        Raises UnauthenticatedError for a link that is unknown, used or over, ConflictError once a user exists, and
        InvalidError for an address or password that will not do (the link stays good then).
        """
        now = self._clock.now()
        if not await self._store.people.is_setup_link(token, now):
            raise UnauthenticatedError(
                "This set-up link is unknown, expired or was used before.",
                remedy="Restart Lifesign: it prints a new link while nobody has signed up.",
            )
        if await self.is_set_up():
            raise ConflictError("Lifesign is set up already.", remedy="Sign in.")
        address = _checked_email(email)
        check_password(password, email=address)
        user = User(
            id=new_id("usr"), tenant="", email=address, grant=Grant.ADMIN, created_at=now,
            password_hash=await self._passwords.hash(password),
        )  # fmt: skip
        stored = await self._store.people.redeem_setup_link(token, now, user)
        return await self._open_session(stored, remote=remote)

    async def log_in(self, email: str, password: str, *, remote: str) -> str:
        """A new session's token.

        Raises UnauthenticatedError, in the same words and after the same work whether the account exists or not, and
        ThrottledError (429) after too many failures from the address. It takes longer the more often the account was
        guessed at from anywhere.
        """
        account = email.strip().casefold()[:320]
        if delay_s := self._limits.enter(account, remote):
            await self._wait(delay_s)
        user = await self._store.people.user_by_email(account) if account else None
        matches = await self._passwords.matches(
            user.password_hash if user is not None else None, password[:MAX_LENGTH]
        )
        if user is None or not matches:
            raise UnauthenticatedError(_WRONG, remedy="Try again, or ask who runs this server.")
        self._limits.succeed(account, remote)
        return await self._open_session(user, remote=remote)

    async def session(self, token: str) -> Scope:
        """Who holds the session; using it keeps it alive. Raises UnauthenticatedError."""
        now = self._clock.now()
        found = await self._store.people.session_by_token(token, now) if token else None
        if found is None:
            raise UnauthenticatedError("You are not signed in.", remedy="Sign in.")
        session, user = found
        scope = Scope(actor=user.email, grant=user.grant, tenant=user.tenant)
        if self._is_due(session.id):
            await self._store.people.touch_session(scope, session.id, now, idle=SESSION_IDLE)
        return scope

    async def log_out(self, token: str) -> None:
        """End the session; one that is over already is no error."""
        found = await self._store.people.session_by_token(token, self._clock.now())
        if found is not None:
            session, user = found
            scope = Scope(actor=user.email, grant=user.grant, tenant=user.tenant)
            await self._store.people.revoke_session(scope, session.id)

    async def create_token(
        self,
        scope: Scope,
        *,
        name: str,
        grant: Grant,
        expires_in: timedelta | None,
        kind: TokenKind = "user",
    ) -> TokenView:
        """A new API token; `secret` is set this once. Raises InvalidError."""
        require(scope, Grant.ADMIN)
        _check_token(name, expires_in, kind)
        now = self._clock.now()
        secret = new_token(kind)
        token = ApiToken(
            id=new_id("tok"), tenant=scope.tenant, name=name.strip(), prefix=prefix_of(secret),
            grant=grant, created_by=scope.actor, created_at=now,
            expires_at=now + expires_in if expires_in is not None else None,
        )  # fmt: skip
        return _token_view(await self._store.people.add_token(scope, token, secret), secret)

    async def tokens(self, scope: Scope) -> tuple[TokenView, ...]:
        """The tokens, newest first, without secrets."""
        require(scope, Grant.ADMIN)
        return tuple([_token_view(each) for each in await self._store.people.list_tokens(scope)])

    async def revoke_token(self, scope: Scope, id: str) -> None:
        """End a token at once. Raises NotFoundError."""
        require(scope, Grant.ADMIN)
        await self._store.people.revoke_token(scope, id)

    async def authenticate_token(self, secret: str) -> Scope:
        """Who holds the token. Raises UnauthenticatedError; one with a wrong checksum never reaches the database."""
        now = self._clock.now()
        found = await self._store.people.token_by_secret(secret, now) if is_token(secret) else None
        if found is None:
            raise UnauthenticatedError(
                "The token is unknown, revoked or expired.",
                remedy="Make a new one in the settings or with `lifesign token`.",
            )
        scope = Scope(actor=f"token {found.name}", grant=found.grant, tenant=found.tenant)
        if self._is_due(found.id):
            await self._store.people.touch_token(scope, found.id, now)
        return scope

    async def _open_session(self, user: User, *, remote: str) -> str:
        now, token = self._clock.now(), new_session()
        session = Session(
            id=new_id("ses"), tenant=user.tenant, user_id=user.id, created_at=now, seen_at=now,
            idle_until=now + SESSION_IDLE, expires_at=now + SESSION_LIFE, remote=remote,
        )  # fmt: skip
        scope = Scope(actor=user.email, grant=user.grant, tenant=user.tenant)
        await self._store.people.open_session(scope, session, token)
        return token

    def _is_due(self, id: str) -> bool:
        """Whether the use of a session or token should be noted now; what is old is forgotten on the way."""
        now_s = self._clock.monotonic()
        if self._touched.get(id, -TOUCH_EVERY_S) + TOUCH_EVERY_S > now_s:
            return False
        if len(self._touched) > 10_000:
            self._touched.clear()
        self._touched[id] = now_s
        return True


def _checked_email(email: str) -> str:
    address = email.strip()
    if _EMAIL.fullmatch(address) is None:
        reason = "is not an e-mail address"
        raise InvalidError(f"{address[:100]!r} {reason}.", problems=(("email", reason),))
    if len(address) > 254:
        reason = "is longer than 254 characters"
        raise InvalidError(f"The e-mail address {reason}.", problems=(("email", reason),))
    return address


def _check_token(name: str, expires_in: timedelta | None, kind: str) -> None:
    problems: list[tuple[str, str]] = []
    if not 1 <= len(name.strip()) <= 100:
        problems.append(("name", "must have 1 to 100 characters"))
    if expires_in is not None and not timedelta(0) < expires_in <= MAX_TOKEN_LIFE:
        problems.append(("expires_in", "must be more than nothing and at most ten years"))
    if kind not in TOKEN_KINDS:
        problems.append(("kind", f"must be one of {', '.join(TOKEN_KINDS)}"))
    if problems:
        said = "; ".join(f"{field} {reason}" for field, reason in problems)
        raise InvalidError(f"The token cannot be made: {said}.", problems=tuple(problems))


def _token_view(token: ApiToken, secret: str = "") -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        prefix=token.prefix,
        grant=token.grant.value,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        secret=secret,
    )
