"""Pings of heartbeats: durable before they are acknowledged, and enough to start again from."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.batch import Ping
from lifesign.core.scope import Scope
from lifesign.store import tables as t
from lifesign.store.codes import PING_FAIL, PING_START, PING_SUCCESS
from lifesign.store.cursors import bounded
from lifesign.store.database import Database
from lifesign.store.repository import Repository
from lifesign.store.rows import ping_columns, ping_of
from lifesign.store.statements import Prepared, insert_watched
from lifesign.store.tenancy import within
from lifesign.store.values import Journal
from lifesign.store.vault import Vault

_RUNNING_AT_MOST = 100
"""Starts without an end that a heartbeat remembers; more than that is a job that never reports its end."""

_HEARTBEAT = "heartbeat"
_LEAN = tuple(column for column in t.pings.c if column.name != "body")


class PingRepository(Repository):
    """Pings. A heartbeat's id is secret, so whoever pings needs no other right."""

    def __init__(self, database: Database, vault: Vault | None = None) -> None:
        super().__init__(database, vault)
        self._insert: Prepared | None = None

    async def append(self, pings: Sequence[Ping]) -> None:
        """Store pings durably, in order, in one transaction; bodies are cut at 100 kB. A system write."""
        async with self._database.write() as connection:
            if self._insert is None:
                statement = insert_watched(t.pings, self._database.dialect)
                self._insert = Prepared(statement, connection.dialect)
            await self._insert.run(connection, map(ping_columns, pings))

    async def latest(self, scope: Scope, monitor_ids: Sequence[str]) -> Mapping[str, Ping]:
        """The newest ping of each of these heartbeats that has one, without its body."""
        newest = _newest(t.pings.c.monitor_id.in_(monitor_ids))
        query = select(*_LEAN).where(within(scope, t.pings), t.pings.c.id.in_(newest))
        async with self._database.read() as connection:
            return {ping.monitor_id: ping for ping in await _pings(connection, query)}

    async def recent(self, scope: Scope, monitor_id: str, limit: int = 50) -> tuple[Ping, ...]:
        """The newest pings of one heartbeat, newest first, with bodies."""
        query = (
            select(t.pings)
            .where(within(scope, t.pings), t.pings.c.monitor_id == monitor_id)
            .order_by(t.pings.c.id.desc())
            .limit(bounded(limit))
        )
        async with self._database.read() as connection:
            return tuple(await _pings(connection, query))

    async def journals(self) -> list[Journal]:
        """What every heartbeat of every tenant must remember over a restart. A system read."""
        found: dict[str, dict[int, Ping]] = {}
        async with self._database.read() as connection:
            for outcome in (PING_SUCCESS, PING_FAIL, PING_START):
                newest = _newest(t.pings.c.outcome == outcome)
                query = select(*_LEAN).where(t.pings.c.id.in_(newest))
                for ping in await _pings(connection, query):
                    found.setdefault(ping.monitor_id, {})[outcome] = ping
            running: dict[str, list[Ping]] = {}
            for ping in await _pings(connection, _unfinished()):
                running.setdefault(ping.monitor_id, []).append(ping)
            beats = select(t.monitors.c.id, t.monitors.c.tenant).where(
                t.monitors.c.kind == _HEARTBEAT
            )
            rows = (await connection.execute(beats.order_by(t.monitors.c.id))).all()
        return [
            _journal(row.id, row.tenant, found.get(row.id, {}), running.get(row.id, []))
            for row in rows
        ]


def _newest(condition: ColumnElement[bool]) -> Select[Any]:
    return select(func.max(t.pings.c.id)).where(condition).group_by(t.pings.c.monitor_id)


def _unfinished() -> Select[Any]:
    """Starts whose run has not been reported as done or failed since, oldest first."""
    end = t.pings.alias("end")
    ended = exists(
        select(literal_column("1")).where(
            end.c.monitor_id == t.pings.c.monitor_id,
            end.c.outcome.in_([PING_SUCCESS, PING_FAIL]),
            end.c.id > t.pings.c.id,
            end.c.run_id == t.pings.c.run_id,
        )
    )
    return select(*_LEAN).where(t.pings.c.outcome == PING_START, ~ended).order_by(t.pings.c.id)


async def _pings(connection: AsyncConnection, query: Select[Any]) -> list[Ping]:
    return [ping_of(row) for row in (await connection.execute(query)).mappings()]


def _journal(
    monitor_id: str, tenant: str, newest: Mapping[int, Ping], running: Sequence[Ping]
) -> Journal:
    return Journal(
        monitor_id,
        tenant,
        success=newest.get(PING_SUCCESS),
        fail=newest.get(PING_FAIL),
        start=newest.get(PING_START),
        running=tuple(running[-_RUNNING_AT_MOST:]),
    )
