"""The past of a monitor: single runs, charts, percentiles, exact uptime."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.model import State, Transition
from lifesign.core.paging import Page
from lifesign.core.rollup import Summary, seconds_by_state, uptime_ratio
from lifesign.core.scope import Scope
from lifesign.store import tables as t
from lifesign.store.codes import CODE_STATE, STATE_CODE
from lifesign.store.columns import from_ms, to_ms
from lifesign.store.cursors import after, bounded, decode_cursor, encode_cursor
from lifesign.store.latencies import latency_of, percentiles_of
from lifesign.store.monitors import newest_runs
from lifesign.store.repository import Repository
from lifesign.store.rows import run_of, transition_of
from lifesign.store.summaries import (
    DAY_MS,
    HOUR_MS,
    Grain,
    fold_by,
    parts_over,
)
from lifesign.store.tenancy import within
from lifesign.store.values import Bucket, DayBar, Digest, StoredRun, Uptime

_DAY = timedelta(days=1)


class History(Repository):
    """Reads of what was observed. Windows are half open: `[since, until)`."""

    async def runs(
        self,
        scope: Scope,
        monitor_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
        states: Sequence[State] | None = None,
    ) -> Page[StoredRun]:
        """Single runs, newest first, as far back as they are kept."""
        table, slot, region = t.runs, t.runs.c.slot_ms, t.runs.c.region
        query = select(table).where(within(scope, table), table.c.monitor_id == monitor_id)
        if since is not None:
            query = query.where(slot >= to_ms(since))
        if until is not None:
            query = query.where(slot < to_ms(until))
        if states:
            query = query.where(table.c.state.in_([STATE_CODE[state] for state in states]))
        if cursor is not None:
            key = decode_cursor("runs", cursor, (int, str))
            query = query.where(after((slot, region), key, descending=True))
        query = query.order_by(slot.desc(), region.desc()).limit(bounded(limit) + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        shown = rows[:limit]
        items = tuple(run_of(row) for row in shown)
        if len(rows) <= limit:
            return Page(items)
        last = shown[-1]
        return Page(items, encode_cursor("runs", (last["slot_ms"], last["region"])))

    async def last_runs(self, scope: Scope, monitor_ids: Sequence[str]) -> Mapping[str, StoredRun]:
        """The newest run of each of these monitors that has one."""
        async with self._database.read() as connection:
            return await newest_runs(connection, scope, monitor_ids)

    async def series(
        self,
        scope: Scope,
        monitor_id: str,
        since: datetime,
        until: datetime,
        points: int,
        *,
        with_phases: bool = True,
    ) -> list[Bucket]:
        """A window in about `points` equal steps, empty ones included.

        Steps of an hour or more begin on whole hours, and of a day or more on whole days (UTC), because they are
        read from hourly and daily summaries; the first step may begin before `since`.
        """
        first_ms, width_ms, coarsest = _steps(to_ms(since), to_ms(until), points)
        end_ms = to_ms(until)
        async with self._database.read() as connection:
            parts = await parts_over(
                connection,
                scope,
                [monitor_id],
                (first_ms, end_ms),
                coarsest=coarsest,
                with_phases=with_phases,
            )
        folded = fold_by(parts, lambda part: (part.start_ms - first_ms) // width_ms)
        steps = -(-(end_ms - first_ms) // width_ms)
        return [
            _bucket(first_ms + step * width_ms, width_ms, folded.get(step, Summary()))
            for step in range(steps)
        ]

    async def uptime(
        self, scope: Scope, monitor_id: str, since: datetime, until: datetime
    ) -> Uptime:
        """Exact seconds by state within a window, from the changes of state."""
        async with self._database.read() as connection:
            stories = await _all_changes(connection, scope, [monitor_id], since=since, until=until)
        state, changes = stories[monitor_id]
        return _uptime(changes, since=since, until=until, state=state)

    async def days(
        self, scope: Scope, monitor_id: str, *, days: int, now: datetime
    ) -> list[DayBar]:
        """The last `days` calendar days (UTC), oldest first; the last one is today until now."""
        today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        first = today - (days - 1) * _DAY
        async with self._database.read() as connection:
            stories = await _all_changes(connection, scope, [monitor_id], since=first, until=now)
        state, changes = stories[monitor_id]
        bars = []
        for number in range(days):
            start = first + number * _DAY
            end = min(start + _DAY, now)
            inside = [change for change in changes if start <= change.at < end]
            bars.append(DayBar(start.date(), _uptime(inside, since=start, until=end, state=state)))
            state = inside[-1].after if inside else state
        return bars

    async def digests(
        self, scope: Scope, monitor_ids: Sequence[str], since: datetime, until: datetime
    ) -> Mapping[str, Digest]:
        """Uptime and percentiles of several monitors, for a page of a listing.

        Percentiles begin at the whole hour before `since`, which saves reading single runs.
        """
        window = (to_ms(since) // HOUR_MS * HOUR_MS, to_ms(until))
        async with self._database.read() as connection:
            parts = await parts_over(connection, scope, monitor_ids, window, with_phases=False)
            changes = await _all_changes(connection, scope, monitor_ids, since=since, until=until)
        folded = fold_by(parts, lambda part: part.monitor_id)
        return {
            monitor_id: Digest(
                _uptime(story, since=since, until=until, state=state),
                percentiles_of(folded.get(monitor_id, Summary()).latency),
            )
            for monitor_id, (state, story) in changes.items()
        }

    async def transitions(
        self,
        scope: Scope,
        monitor_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Transition]:
        """Changes of state, newest first."""
        table = t.transitions
        query = select(table).where(within(scope, table), table.c.monitor_id == monitor_id)
        if since is not None:
            query = query.where(table.c.at >= since)
        if until is not None:
            query = query.where(table.c.at < until)
        if cursor is not None:
            key = decode_cursor("transitions", cursor, (int,))
            query = query.where(table.c.id < key[0])
        query = query.order_by(table.c.id.desc()).limit(bounded(limit) + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        shown = rows[:limit]
        more = len(rows) > limit
        cursor = encode_cursor("transitions", (shown[-1]["id"],)) if more else None
        return Page(tuple(transition_of(row) for row in shown), cursor)


def _steps(since: int, until: int, points: int) -> tuple[int, int, Grain]:
    """Where the first step begins, how wide steps are, and the coarsest rows that fit into one."""
    width = max(1, -(-(until - since) // max(1, points)))
    if width < HOUR_MS:
        return since, width, Grain.RAW
    grain = Grain.DAY if width >= DAY_MS else Grain.HOUR
    unit = grain.value
    return since // unit * unit, -(-width // unit) * unit, grain


def _bucket(at_ms: int, width_ms: int, summary: Summary) -> Bucket:
    latency = latency_of(summary)
    return Bucket(
        at=from_ms(at_ms),
        width=timedelta(milliseconds=width_ms),
        count=summary.count,
        states=summary.states,
        latency=latency.total,
        phases_ms=summary.mean_phases_ms,
        phases=latency.phases,
    )


Story = tuple[State | None, list[Transition]]
"""The state at the beginning of a window, and the changes within it in order."""


async def _all_changes(
    connection: AsyncConnection,
    scope: Scope,
    monitor_ids: Sequence[str],
    *,
    since: datetime,
    until: datetime,
) -> dict[str, Story]:
    """The story of each of these monitors, in two queries."""
    table = t.transitions
    mine = and_(within(scope, table), table.c.monitor_id.in_(monitor_ids))
    newest = (
        select(table.c.monitor_id, func.max(table.c.at).label("at"))
        .where(mine, table.c.at < since)
        .group_by(table.c.monitor_id)
        .subquery()
    )
    on = and_(table.c.monitor_id == newest.c.monitor_id, table.c.at == newest.c.at)
    before = select(table.c.monitor_id, table.c.after).select_from(table.join(newest, on))
    known = await connection.execute(before.order_by(table.c.id))
    states = {row.monitor_id: CODE_STATE[row.after] for row in known}
    inside = select(table).where(mine, table.c.at >= since, table.c.at < until)
    rows = (await connection.execute(inside.order_by(table.c.at, table.c.id))).mappings()
    stories: dict[str, Story] = {each: (states.get(each), []) for each in monitor_ids}
    for row in rows:
        stories[row["monitor_id"]][1].append(transition_of(row))
    return stories


def _uptime(
    changes: Sequence[Transition], *, since: datetime, until: datetime, state: State | None
) -> Uptime:
    seconds = seconds_by_state(changes, since=since, until=until, state=state)
    known = {state: seconds.get(state, 0.0) for state in State}
    return Uptime(known, seconds.get(None, 0.0), uptime_ratio(seconds))
