"""Deleting what is older than it is kept: in small pieces, until all of it is gone.

Single runs go only when their hour is summed up, hours only when their day is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Table,
    and_,
    delete,
    func,
    select,
    union_all,
    update,
)

from lifesign.core.messages import AlertState
from lifesign.store import surface_tables
from lifesign.store import tables as t
from lifesign.store.codes import PING_LOG
from lifesign.store.columns import to_ms
from lifesign.store.repository import Repository
from lifesign.store.summaries import DAY_MS, HOUR_MS, read_progress
from lifesign.store.values import Retention

_ROWS_AT_ONCE = 1000
_MONITORS_AT_ONCE = 20
_NEVER_MS = 2**62
_STRETCH_MS: Mapping[str, int] = MappingProxyType(
    {t.runs.name: HOUR_MS, t.hourly.name: 2 * DAY_MS, t.daily.name: 50 * DAY_MS}
)
"""With 20 monitors, these come to some thousand rows a transaction at the usual intervals."""


class Pruning(Repository):
    """Keeps storage within its bounds; a system task over all tenants."""

    async def prune(self, now: datetime, retention: Retention) -> int:
        """Delete everything older than it is kept; the number of rows that went."""
        raw_from, hours_from = await self._forget(now, retention)
        gone = await self._prune_series(t.runs, t.runs.c.slot_ms, raw_from)
        gone += await self._prune_series(t.hourly, t.hourly.c.start_ms, hours_from)
        daily_from = to_ms(now - retention.daily) // DAY_MS * DAY_MS
        gone += await self._prune_series(t.daily, t.daily.c.start_ms, daily_from)
        gone += await self._prune_transitions(now - retention.transitions)
        gone += await self._prune_alerts(now - retention.alerts)
        gone += await self._prune_deliveries(now - retention.deliveries)
        gone += await self._prune_pings(now - retention.pings)
        gone += await self._prune_surfaces(now - retention.surfaces)
        return gone + await self._prune_events(now - retention.events)

    async def _forget(self, now: datetime, retention: Retention) -> tuple[int, int]:
        """Say first from where on rows are still kept, so that no reader looks for those that go.

        Late runs that are not summed up yet hold everything from their hour on.
        """
        async with self._database.write() as connection:
            progress = await read_progress(connection)
            late = (await connection.execute(select(func.min(t.rollup_late.c.hour_ms)))).scalar()
            raw = to_ms(now - retention.raw) // HOUR_MS * HOUR_MS
            raw = min(raw, progress.hours_ms, progress.hours_ms if late is None else late)
            hours = to_ms(now - retention.hourly) // DAY_MS * DAY_MS
            hours = min(hours, progress.days_ms, raw // DAY_MS * DAY_MS)
            raw, hours = max(raw, progress.raw_from_ms), max(hours, progress.hours_from_ms)
            kept = {"raw_from_ms": raw, "hours_from_ms": hours}
            await connection.execute(update(t.rollup_progress).values(kept))
        return raw, hours

    async def _prune_series(self, table: Table, start: Column[int], before: int) -> int:
        """Rows of every monitor that begin before an instant, and all rows of monitors that are gone."""
        gone, last = 0, ""
        while ids := await self._monitors_in(table, after=last):
            last = ids[-1]
            async with self._database.read() as connection:
                known = select(t.monitors.c.id).where(t.monitors.c.id.in_(ids))
                watched = set((await connection.execute(known)).scalars())
            gone += await self._prune_stretch(table, start, before, ids=sorted(watched))
            orphans = [monitor_id for monitor_id in ids if monitor_id not in watched]
            gone += await self._prune_stretch(table, start, _NEVER_MS, ids=orphans)
        return gone

    async def _monitors_in(self, table: Table, *, after: str) -> Sequence[str]:
        """The next monitors that have rows, one step down the clustered key for each."""
        column = table.c.monitor_id
        walk = (
            select(func.min(column).label("id")).where(column > after).cte("walk", recursive=True)
        )
        following = select(func.min(column)).where(column > walk.c.id).scalar_subquery()
        walk = walk.union_all(select(following).where(walk.c.id.is_not(None)))
        query = select(walk.c.id).where(walk.c.id.is_not(None)).limit(_MONITORS_AT_ONCE)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalars().all()

    async def _prune_stretch(
        self, table: Table, start: Column[int], before: int, *, ids: Sequence[str]
    ) -> int:
        """Old rows of a few monitors, a bounded stretch of time in each transaction."""
        gone = 0
        oldest = select(func.min(start)).group_by(table.c.monitor_id).order_by(func.min(start))
        oldest = oldest.where(table.c.monitor_id.in_(ids), start < before).limit(1)
        while ids:
            async with self._database.read() as connection:
                first = (await connection.execute(oldest)).scalar_one_or_none()
            if first is None:
                break
            up_to = min(before, first + _STRETCH_MS[table.name])
            gone += await self._delete(table, and_(table.c.monitor_id.in_(ids), start < up_to))
        return gone

    async def _prune_transitions(self, before: datetime) -> int:
        """Changes before an instant, but never a monitor's newest: it is the state it has been in since."""
        newest = select(func.max(t.transitions.c.id)).group_by(t.transitions.c.monitor_id)
        old = and_(t.transitions.c.at < before, t.transitions.c.id.not_in(newest))
        return await self._prune_rows(t.transitions, t.transitions.c.id, old)

    async def _prune_alerts(self, before: datetime) -> int:
        """Resolved alerts only; an open one stays however old it is."""
        resolved = t.alerts.c.state == AlertState.RESOLVED.value
        old = and_(resolved, t.alerts.c.resolved_at < before)
        return await self._prune_rows(t.alerts, t.alerts.c.id, old)

    async def _prune_deliveries(self, before: datetime) -> int:
        """Settled deliveries, after their attempts."""
        old = and_(t.deliveries.c.status != "pending", t.deliveries.c.created_at < before)
        settled = select(t.deliveries.c.id).where(old)
        gone = await self._prune_rows(
            t.attempts, t.attempts.c.delivery_id, t.attempts.c.delivery_id.in_(settled)
        )
        return gone + await self._prune_rows(t.deliveries, t.deliveries.c.id, old)

    async def _prune_pings(self, before: datetime) -> int:
        """Old pings, but never the newest of each outcome: the engine starts again from those."""
        newest = (
            select(func.max(t.pings.c.id))
            .where(t.pings.c.outcome != PING_LOG)
            .group_by(t.pings.c.monitor_id, t.pings.c.outcome)
        )
        old = and_(t.pings.c.at < before, t.pings.c.id.not_in(newest))
        return await self._prune_rows(t.pings, t.pings.c.id, old)

    async def _prune_surfaces(self, before: datetime) -> int:
        """Lines of timelines, releases that are over, and then the documents that nothing refers to any more."""
        lines, releases = surface_tables.surface_changes, surface_tables.releases
        gone = await self._prune_rows(lines, lines.c.id, lines.c.at < before)
        gone += await self._prune_rows(releases, releases.c.id, releases.c.ends_at < before)
        documents = surface_tables.snapshots
        in_use = documents.c.digest.in_(_digests_in_use())
        unused = and_(documents.c.used_at < before, ~in_use)
        return gone + await self._prune_rows(documents, documents.c.digest, unused)

    async def _prune_events(self, before: datetime) -> int:
        return await self._prune_rows(t.events, t.events.c.id, t.events.c.at < before)

    async def _prune_rows(
        self, table: Table, key: ColumnElement[Any], old: ColumnElement[bool]
    ) -> int:
        """Rows that a condition names, some keys at a time."""
        gone = 0
        while True:
            async with self._database.read() as connection:
                query = select(key).where(old).distinct().limit(_ROWS_AT_ONCE)
                keys: Sequence[Any] = (await connection.execute(query)).scalars().all()
            if not keys:
                return gone
            gone += await self._delete(table, and_(key.in_(keys), old))

    async def _delete(self, table: Table, condition: ColumnElement[bool]) -> int:
        async with self._database.write(durable=False) as connection:
            return (await connection.execute(delete(table).where(condition))).rowcount


def _digests_in_use() -> CompoundSelect[tuple[str]]:
    """What any tenant publishes or has accepted now, and what the lines of a timeline lead from and to."""
    drifts, lines = surface_tables.drifts.c, surface_tables.surface_changes.c
    named = (drifts.baseline, drifts.current, drifts.candidate, lines.before, lines.after)
    return union_all(*[select(column) for column in named])
