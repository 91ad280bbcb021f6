"""People and keys: users, their sessions, API tokens and one-time set-up links.

A secret comes in as text and is stored as its SHA-256, which is right for random secrets of 128 bits or more;
passwords arrive hashed with argon2. A secret names its own tenant, so looking one up takes no scope.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from lifesign.core.errors import ConflictError, NotFoundError, UnauthenticatedError
from lifesign.core.scope import Grant, Scope
from lifesign.store import tables as t
from lifesign.store.repository import Repository
from lifesign.store.tenancy import within
from lifesign.store.values import ApiToken, Session, User


class PeopleRepository(Repository):
    """Everything about who may sign in and with which key."""

    async def count_users(self) -> int:
        """How many users there are, over all tenants: none means that nobody has set Lifesign up. A system read."""
        async with self._database.read() as connection:
            return (
                await connection.execute(select(func.count()).select_from(t.users))
            ).scalar_one()

    async def add_user(self, scope: Scope, user: User) -> User:
        """Store a new user; raises ConflictError for a taken e-mail address."""
        stored = replace(user, tenant=scope.tenant)
        async with self._database.write() as connection:
            try:
                await connection.execute(insert(t.users), _user_columns(stored))
            except IntegrityError as error:
                raise _taken(user) from error
        return stored

    async def user_by_email(self, email: str) -> User | None:
        """Who signs in under this address, in any tenant, case ignored. A system read."""
        query = select(t.users).where(t.users.c.email_key == email.casefold())
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _user_of(row)

    async def get_user(self, scope: Scope, user_id: str) -> User:
        """One user; raises NotFoundError."""
        query = select(t.users).where(within(scope, t.users), t.users.c.id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFoundError(f"There is no user {user_id!r}.")
        return _user_of(row)

    async def list_users(self, scope: Scope) -> tuple[User, ...]:
        """All users of the tenant by address."""
        query = select(t.users).where(within(scope, t.users)).order_by(t.users.c.email_key)
        async with self._database.read() as connection:
            return tuple(_user_of(row) for row in (await connection.execute(query)).mappings())

    async def set_password(
        self, scope: Scope, user_id: str, password_hash: str, *, keep_session: str = ""
    ) -> None:
        """Change a password and end all the user's sessions but one; raises NotFoundError."""
        mine = and_(within(scope, t.users), t.users.c.id == user_id)
        others = and_(t.sessions.c.user_id == user_id, t.sessions.c.id != keep_session)
        async with self._database.write() as connection:
            change = update(t.users).where(mine).values(password_hash=password_hash)
            if (await connection.execute(change)).rowcount == 0:
                raise NotFoundError(f"There is no user {user_id!r}.")
            await connection.execute(delete(t.sessions).where(within(scope, t.sessions), others))

    async def remove_user(self, scope: Scope, user_id: str) -> None:
        """Delete a user with all sessions; raises NotFoundError."""
        async with self._database.write() as connection:
            mine = and_(within(scope, t.users), t.users.c.id == user_id)
            if (await connection.execute(delete(t.users).where(mine))).rowcount == 0:
                raise NotFoundError(f"There is no user {user_id!r}.")
            theirs = and_(within(scope, t.sessions), t.sessions.c.user_id == user_id)
            await connection.execute(delete(t.sessions).where(theirs))

    async def open_session(self, scope: Scope, session: Session, token: str) -> Session:
        """Store a new session under the hash of its token."""
        stored = replace(session, tenant=scope.tenant)
        async with self._database.write() as connection:
            columns = {**_plain(stored), "token_hash": fingerprint(token)}
            await connection.execute(insert(t.sessions), columns)
        return stored

    async def session_by_token(self, token: str, now: datetime) -> tuple[Session, User] | None:
        """The live session of a token and whose it is; None when it is unknown or over. A system read."""
        live = and_(
            t.sessions.c.token_hash == fingerprint(token),
            t.sessions.c.idle_until > now,
            t.sessions.c.expires_at > now,
        )
        async with self._database.read() as connection:
            row = (
                (await connection.execute(select(t.sessions).where(live))).mappings().one_or_none()
            )
            if row is None:
                return None
            owner = select(t.users).where(
                t.users.c.id == row["user_id"], t.users.c.tenant == row["tenant"]
            )
            user = (await connection.execute(owner)).mappings().one_or_none()
        return None if user is None else (_session_of(row), _user_of(user))

    async def touch_session(
        self, scope: Scope, session_id: str, now: datetime, *, idle: timedelta
    ) -> None:
        """Note that a session was used, which moves its idle end to `now + idle`.

        Call it at most once a minute a session; it is not durable and need not be.
        """
        mine = and_(within(scope, t.sessions), t.sessions.c.id == session_id)
        async with self._database.write(durable=False) as connection:
            used = {"seen_at": now, "idle_until": now + idle}
            await connection.execute(update(t.sessions).where(mine).values(used))

    async def list_sessions(self, scope: Scope, user_id: str) -> tuple[Session, ...]:
        """A user's sessions, the last used first."""
        mine = and_(within(scope, t.sessions), t.sessions.c.user_id == user_id)
        query = select(t.sessions).where(mine).order_by(t.sessions.c.seen_at.desc())
        async with self._database.read() as connection:
            return tuple(_session_of(row) for row in (await connection.execute(query)).mappings())

    async def revoke_session(self, scope: Scope, session_id: str) -> None:
        """End a session; nothing happens when it is over already."""
        mine = and_(within(scope, t.sessions), t.sessions.c.id == session_id)
        async with self._database.write() as connection:
            await connection.execute(delete(t.sessions).where(mine))

    async def add_token(self, scope: Scope, token: ApiToken, secret: str) -> ApiToken:
        """Store a new API token under the hash of its secret."""
        stored = replace(token, tenant=scope.tenant)
        columns = {**_plain(stored), "token_hash": fingerprint(secret)}
        columns["grant_name"] = columns.pop("grant").value
        async with self._database.write() as connection:
            await connection.execute(insert(t.tokens), columns)
        return stored

    async def token_by_secret(self, secret: str, now: datetime) -> ApiToken | None:
        """The valid token of a secret; None when it is unknown, revoked or expired. A system read."""
        expires = t.tokens.c.expires_at
        valid = and_(
            t.tokens.c.token_hash == fingerprint(secret), or_(expires.is_(None), expires > now)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(select(t.tokens).where(valid))).mappings().one_or_none()
        return None if row is None else _token_of(row)

    async def touch_token(self, scope: Scope, token_id: str, now: datetime) -> None:
        """Note that a token was used; call it at most once a minute a token."""
        mine = and_(within(scope, t.tokens), t.tokens.c.id == token_id)
        async with self._database.write(durable=False) as connection:
            await connection.execute(update(t.tokens).where(mine).values(last_used_at=now))

    async def list_tokens(self, scope: Scope) -> tuple[ApiToken, ...]:
        """All tokens of the tenant, newest first."""
        query = (
            select(t.tokens).where(within(scope, t.tokens)).order_by(t.tokens.c.created_at.desc())
        )
        async with self._database.read() as connection:
            return tuple(_token_of(row) for row in (await connection.execute(query)).mappings())

    async def revoke_token(self, scope: Scope, token_id: str) -> None:
        """Delete a token; raises NotFoundError."""
        mine = and_(within(scope, t.tokens), t.tokens.c.id == token_id)
        async with self._database.write() as connection:
            if (await connection.execute(delete(t.tokens).where(mine))).rowcount == 0:
                raise NotFoundError(f"There is no token {token_id!r}.", remedy="List the tokens.")

    async def add_setup_link(
        self, scope: Scope, secret: str, *, created_at: datetime, expires_at: datetime
    ) -> None:
        """Store a one-time set-up link under the hash of its secret; earlier unused ones end."""
        unused = and_(within(scope, t.setup_links), t.setup_links.c.used_at.is_(None))
        async with self._database.write() as connection:
            await connection.execute(delete(t.setup_links).where(unused))
            link = {
                "token_hash": fingerprint(secret),
                "tenant": scope.tenant,
                "created_at": created_at,
                "expires_at": expires_at,
            }
            await connection.execute(insert(t.setup_links), link)

    async def is_setup_link(self, secret: str, now: datetime) -> bool:
        """Whether a set-up link can still be used. A system read."""
        async with self._database.read() as connection:
            query = select(t.setup_links.c.tenant).where(_usable(secret, now))
            return (await connection.execute(query)).first() is not None

    async def redeem_setup_link(self, secret: str, now: datetime, user: User) -> User:
        """Use a link up and store the user it was for, both or neither. A system write.

        Raises UnauthenticatedError when the link is unknown, used or expired, and ConflictError for a taken
        e-mail address.
        """
        use = update(t.setup_links).where(_usable(secret, now)).values(used_at=now)
        async with self._database.write() as connection:
            used = await connection.execute(use.returning(t.setup_links.c.tenant))
            tenant = used.scalar_one_or_none()
            if tenant is None:
                raise UnauthenticatedError(
                    "This set-up link is unknown, expired or was used before.",
                    remedy="Restart Lifesign: it prints a new link while nobody has signed up.",
                )
            stored = replace(user, tenant=tenant)
            try:
                await connection.execute(insert(t.users), _user_columns(stored))
            except IntegrityError as error:
                raise _taken(user) from error
        return stored

    async def forget_expired(self, now: datetime) -> None:
        """Delete sessions and links that are over, in every tenant. A system write."""
        over = or_(t.sessions.c.expires_at <= now, t.sessions.c.idle_until <= now)
        async with self._database.write(durable=False) as connection:
            await connection.execute(delete(t.sessions).where(over))
            await connection.execute(delete(t.setup_links).where(t.setup_links.c.expires_at <= now))


def fingerprint(secret: str) -> bytes:
    """What is stored of a random secret."""
    return hashlib.sha256(secret.encode()).digest()


def _usable(secret: str, now: datetime) -> Any:
    return and_(
        t.setup_links.c.token_hash == fingerprint(secret),
        t.setup_links.c.used_at.is_(None),
        t.setup_links.c.expires_at > now,
    )


def _taken(user: User) -> ConflictError:
    return ConflictError(
        f"Somebody signs in as {user.email} already, or the user id is taken.",
        remedy="Use another e-mail address.",
    )


def _plain(value: Session | ApiToken | User) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _user_columns(user: User) -> dict[str, Any]:
    columns = {**_plain(user), "email_key": user.email.casefold()}
    columns["grant_name"] = columns.pop("grant").value
    return columns


def _without(row: RowMapping, *names: str) -> dict[str, Any]:
    kept: Mapping[str, Any] = {name: value for name, value in row.items() if name not in names}
    return dict(kept)


def _user_of(row: RowMapping) -> User:
    return User(**_without(row, "email_key", "grant_name"), grant=Grant(row["grant_name"]))


def _session_of(row: RowMapping) -> Session:
    return Session(**_without(row, "token_hash"))


def _token_of(row: RowMapping) -> ApiToken:
    return ApiToken(**_without(row, "token_hash", "grant_name"), grant=Grant(row["grant_name"]))
