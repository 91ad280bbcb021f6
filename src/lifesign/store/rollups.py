"""Summing up: finished hours from single runs, finished days from hours. Doing it twice changes nothing.

1. Move `closing_ms` to the current hour. From then on a run that comes in for an older hour leaves a mark.
2. Sum up every hour between `hours_ms` and `closing_ms`, a few monitors at a time; then move `hours_ms`.
3. Sum up every day that these hours finish; then move `days_ms`.
4. Sum up the marked hours again, and their days.

A crash between two steps repeats work and loses nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.rollup import Sample, Summary, combine, summarize
from lifesign.store import tables as t
from lifesign.store.columns import to_ms
from lifesign.store.repository import Repository
from lifesign.store.statements import insert_into
from lifesign.store.summaries import (
    DAY_MS,
    HOUR_MS,
    RAW_COLUMNS,
    Progress,
    read_progress,
    sample_of,
    summary_columns,
    summary_of,
)

_MONITORS_AT_ONCE = 10
_MARKS_AT_ONCE = 200

SeriesKey = tuple[str, str, str]
"""Monitor, region, tenant."""


class Rollups(Repository):
    """Keeps the summaries; a system task over all tenants."""

    async def roll_up(self, now: datetime) -> None:
        """Sum up every hour and day that is over, and every older hour that got late runs."""
        progress = await self._close(to_ms(now) // HOUR_MS * HOUR_MS)
        for hour in range(progress.hours_ms, progress.closing_ms, HOUR_MS):
            await self._sum_hour(hour)
            await self._move(hours_ms=hour + HOUR_MS)
        for day in range(progress.days_ms, progress.closing_ms // DAY_MS * DAY_MS, DAY_MS):
            await self._sum_day(day, await self._all_monitors())
            await self._move(days_ms=day + DAY_MS)
        await self._sum_late()

    async def _close(self, closing: int) -> Progress:
        """Step 1. A fresh database begins at its first run, so that no empty decades are summed up."""
        async with self._database.write() as connection:
            progress = await read_progress(connection)
            moved = {"closing_ms": max(progress.closing_ms, closing)}
            if progress.hours_ms == 0:
                first = await _first_slot(connection)
                start = closing if first is None else min(first, closing)
                moved["hours_ms"] = start // HOUR_MS * HOUR_MS
                moved["days_ms"] = start // DAY_MS * DAY_MS
            await connection.execute(update(t.rollup_progress).values(moved))
            return await read_progress(connection)

    async def _move(self, **to: int) -> None:
        async with self._database.write(durable=False) as connection:
            await connection.execute(update(t.rollup_progress).values(to))

    async def _all_monitors(self) -> Sequence[str]:
        async with self._database.read() as connection:
            ids = await connection.execute(select(t.monitors.c.id).order_by(t.monitors.c.id))
            return ids.scalars().all()

    async def _sum_hour(self, hour: int) -> None:
        """Step 2 for one hour, a few monitors at a time to leave room for others."""
        for ids in _chunks(await self._all_monitors(), _MONITORS_AT_ONCE):
            async with self._database.read() as connection:
                summed = await _hours_of(connection, hour, ids)
            await self._store(t.hourly, hour, summed)

    async def _sum_day(self, day: int, monitor_ids: Sequence[str]) -> None:
        """Step 3 for one day."""
        for ids in _chunks(monitor_ids, _MONITORS_AT_ONCE):
            async with self._database.read() as connection:
                summed = await _days_of(connection, day, ids)
            await self._store(t.daily, day, summed)

    async def _sum_late(self) -> None:
        """Step 4. A mark goes in the same transaction in which its hour is summed up again."""
        while marks := await self._marks():
            for monitor_id, hour in marks:
                async with self._database.write(durable=False) as connection:
                    summed = await _hours_of(connection, hour, [monitor_id])
                    await _upsert(connection, t.hourly, hour, summed)
                    progress = await read_progress(connection)
                    day = hour // DAY_MS * DAY_MS
                    if day < progress.days_ms:
                        days = await _days_of(connection, day, [monitor_id])
                        await _upsert(connection, t.daily, day, days)
                    mark = and_(
                        t.rollup_late.c.monitor_id == monitor_id, t.rollup_late.c.hour_ms == hour
                    )
                    await connection.execute(delete(t.rollup_late).where(mark))

    async def _marks(self) -> list[tuple[str, int]]:
        query = select(t.rollup_late.c.monitor_id, t.rollup_late.c.hour_ms).limit(_MARKS_AT_ONCE)
        async with self._database.read() as connection:
            return [(row.monitor_id, row.hour_ms) for row in await connection.execute(query)]

    async def _store(self, table: Table, start: int, summed: dict[SeriesKey, Summary]) -> None:
        if summed:
            async with self._database.write(durable=False) as connection:
                await _upsert(connection, table, start, summed)


async def _first_slot(connection: AsyncConnection) -> int | None:
    """The oldest run of all: one step down the clustered key for each monitor."""
    first = select(func.min(t.runs.c.slot_ms)).where(t.runs.c.monitor_id == t.monitors.c.id)
    query = select(func.min(first.scalar_subquery())).select_from(t.monitors)
    oldest: int | None = (await connection.execute(query)).scalar_one_or_none()
    return oldest


async def _hours_of(
    connection: AsyncConnection, hour: int, ids: Sequence[str]
) -> dict[SeriesKey, Summary]:
    slot = t.runs.c.slot_ms
    query = select(*RAW_COLUMNS).where(
        t.runs.c.monitor_id.in_(ids), slot >= hour, slot < hour + HOUR_MS
    )
    samples: dict[SeriesKey, list[Sample]] = {}
    for row in await connection.execute(query):
        samples.setdefault((row.monitor_id, row.region, row.tenant), []).append(sample_of(row))
    return {key: summarize(found) for key, found in samples.items()}


async def _days_of(
    connection: AsyncConnection, day: int, ids: Sequence[str]
) -> dict[SeriesKey, Summary]:
    start = t.hourly.c.start_ms
    query = select(t.hourly).where(
        t.hourly.c.monitor_id.in_(ids), start >= day, start < day + DAY_MS
    )
    parts: dict[SeriesKey, list[Summary]] = {}
    for row in (await connection.execute(query)).mappings():
        key = (row["monitor_id"], row["region"], row["tenant"])
        parts.setdefault(key, []).append(summary_of(row))
    return {key: combine(found) for key, found in parts.items()}


async def _upsert(
    connection: AsyncConnection, table: Table, start: int, summed: dict[SeriesKey, Summary]
) -> None:
    """Write summaries over whatever was summed up before under the same key."""
    if not summed:
        return
    statement = insert_into(table, connection.dialect.name)
    given = statement.excluded
    keys = ["monitor_id", "start_ms", "region"]
    changed = {c.name: given[c.name] for c in table.c if c.name not in {*keys, "tenant"}}
    rows: list[dict[str, Any]] = [
        {
            "monitor_id": monitor_id,
            "start_ms": start,
            "region": region,
            "tenant": tenant,
            **summary_columns(summary),
        }
        for (monitor_id, region, tenant), summary in summed.items()
    ]
    await connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed), rows
    )


def _chunks(ids: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
