"""Channels and routes: where messages go, and who is told about what."""

from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping, Table, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.errors import ConflictError, NotFoundError, StaleError
from lifesign.core.messages import Channel, Route
from lifesign.core.scope import Scope
from lifesign.store import tables as t
from lifesign.store.repository import Repository
from lifesign.store.rows import channel_columns, channel_of, route_columns, route_of
from lifesign.store.tenancy import within


class ChannelRepository(Repository):
    """Channels and routes of a tenant. Names are unique within each."""

    async def add(self, scope: Scope, channel: Channel) -> Channel:
        """Store a new channel; raises ConflictError for a taken name or id."""
        stored = replace(channel, tenant=scope.tenant, version=1)
        async with self._database.write() as connection:
            await _insert(connection, t.channels, self._columns(stored))
        return stored

    async def replace(
        self, scope: Scope, channel: Channel, *, expected_version: int | None
    ) -> Channel:
        """Store a changed channel under the next version; raises as `monitors.replace` does."""
        async with self._database.write() as connection:
            found = await _current(connection, scope, t.channels, channel.id, expected_version)
            stored = replace(
                channel,
                tenant=scope.tenant,
                version=found["version"] + 1,
                created_at=found["created_at"],
            )
            await _update(connection, scope, t.channels, self._columns(stored))
        return stored

    async def remove(self, scope: Scope, channel_id: str) -> None:
        """Delete a channel, and drop what it was still owed; raises NotFoundError."""
        owed = and_(
            within(scope, t.deliveries),
            t.deliveries.c.channel_id == channel_id,
            t.deliveries.c.status == "pending",
        )
        dropped = {"status": "dropped", "last_detail": "The channel was removed."}
        async with self._database.write() as connection:
            await _delete(connection, scope, t.channels, channel_id)
            await connection.execute(update(t.deliveries).where(owed).values(dropped))

    async def get(self, scope: Scope, channel_id: str) -> Channel:
        """One channel with its settings in clear; raises NotFoundError."""
        async with self._database.read() as connection:
            return self._channel(await _find(connection, scope, t.channels, channel_id))

    async def list(self, scope: Scope) -> tuple[Channel, ...]:
        """All channels of the tenant by name."""
        query = select(t.channels).where(within(scope, t.channels)).order_by(t.channels.c.name)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(self._channel(row) for row in rows)

    async def all_channels(self) -> tuple[Channel, ...]:
        """Every channel of every tenant. A system read."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.channels))).mappings()
            return tuple(self._channel(row) for row in rows)

    async def add_route(self, scope: Scope, route: Route) -> Route:
        """Store a new route; raises ConflictError for a taken name or id."""
        stored = replace(route, tenant=scope.tenant, version=1)
        async with self._database.write() as connection:
            await _insert(connection, t.routes, route_columns(stored))
        return stored

    async def replace_route(
        self, scope: Scope, route: Route, *, expected_version: int | None
    ) -> Route:
        """Store a changed route under the next version; raises as `replace` does."""
        async with self._database.write() as connection:
            found = await _current(connection, scope, t.routes, route.id, expected_version)
            stored = replace(route, tenant=scope.tenant, version=found["version"] + 1)
            await _update(connection, scope, t.routes, route_columns(stored))
        return stored

    async def remove_route(self, scope: Scope, route_id: str) -> None:
        """Delete a route; raises NotFoundError."""
        async with self._database.write() as connection:
            await _delete(connection, scope, t.routes, route_id)

    async def get_route(self, scope: Scope, route_id: str) -> Route:
        """One route; raises NotFoundError."""
        async with self._database.read() as connection:
            return route_of(await _find(connection, scope, t.routes, route_id))

    async def list_routes(self, scope: Scope) -> tuple[Route, ...]:
        """All routes of the tenant by name."""
        query = select(t.routes).where(within(scope, t.routes)).order_by(t.routes.c.name)
        async with self._database.read() as connection:
            return tuple(route_of(row) for row in (await connection.execute(query)).mappings())

    async def all_routes(self) -> tuple[Route, ...]:
        """Every route of every tenant. A system read."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(t.routes))).mappings()
            return tuple(route_of(row) for row in rows)

    def _columns(self, channel: Channel) -> dict[str, Any]:
        sealed = self._seal(
            channel.settings, tenant=channel.tenant, table="channels", row=channel.id
        )
        return channel_columns(channel, sealed)

    def _channel(self, row: RowMapping) -> Channel:
        settings = self._open(
            row["settings"], tenant=row["tenant"], table="channels", row=row["id"]
        )
        return channel_of(row, settings)


async def _insert(connection: AsyncConnection, table: Table, columns: dict[str, Any]) -> None:
    try:
        await connection.execute(insert(table), columns)
    except IntegrityError as error:
        raise _taken(table, columns) from error


async def _update(
    connection: AsyncConnection, scope: Scope, table: Table, columns: dict[str, Any]
) -> None:
    mine = and_(within(scope, table), table.c.id == columns["id"])
    try:
        await connection.execute(update(table).where(mine).values(**columns))
    except IntegrityError as error:
        raise _taken(table, columns) from error


async def _delete(connection: AsyncConnection, scope: Scope, table: Table, row_id: str) -> None:
    mine = and_(within(scope, table), table.c.id == row_id)
    if (await connection.execute(delete(table).where(mine))).rowcount == 0:
        raise _absent(table, row_id)


async def _find(connection: AsyncConnection, scope: Scope, table: Table, row_id: str) -> RowMapping:
    query = select(table).where(within(scope, table), table.c.id == row_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise _absent(table, row_id)
    return row


async def _current(
    connection: AsyncConnection, scope: Scope, table: Table, row_id: str, expected: int | None
) -> RowMapping:
    """The stored row, which must be at the expected version where one is given."""
    found = await _find(connection, scope, table, row_id)
    if expected not in {None, found["version"]}:
        raise StaleError(
            f"{_noun(table)} {found['name']} is at version {found['version']}, not {expected}.",
            remedy="Read it again and repeat the change on what is there now.",
        )
    return found


def _taken(table: Table, columns: dict[str, Any]) -> ConflictError:
    return ConflictError(
        f"{_noun(table)} {columns['name']!r} exists already, or its id {columns['id']} does.",
        remedy="Choose another name, or change the one that has it.",
    )


def _absent(table: Table, row_id: str) -> NotFoundError:
    return NotFoundError(
        f"{_noun(table)} {row_id!r} does not exist.", remedy=f"List the {table.name}."
    )


def _noun(table: Table) -> str:
    return table.name.removesuffix("s").capitalize()
