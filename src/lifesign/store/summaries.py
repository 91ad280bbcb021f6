"""Reading the past from single runs, hours and days together, so that any window is summed up right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from lifesign.core.model import State
from lifesign.core.rollup import (
    Histogram,
    Sample,
    Summary,
    combine,
    decode_all,
    encode_all,
    summarize,
)
from lifesign.core.scope import Scope
from lifesign.store import tables as t
from lifesign.store.codes import CODE_STATE
from lifesign.store.columns import json_text
from lifesign.store.tenancy import within

K = TypeVar("K")

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_NOTHING = Histogram()
_COUNTED = (State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN)


class Grain(Enum):
    """What a stretch of time is read from; the value is the width of a row in milliseconds."""

    RAW = 0
    HOUR = HOUR_MS
    DAY = DAY_MS


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the past is summed up, and from where on it is still kept (milliseconds).

    Hours before `closing_ms` take no more runs without a mark; hours before `hours_ms` and days before
    `days_ms` are summed up; single runs exist from `raw_from_ms`, hours from `hours_from_ms`.
    """

    closing_ms: int = 0
    hours_ms: int = 0
    days_ms: int = 0
    raw_from_ms: int = 0
    hours_from_ms: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a window, `[start_ms, end_ms)`, and what it is read from."""

    grain: Grain
    start_ms: int
    end_ms: int


def cover(since: int, until: int, progress: Progress, coarsest: Grain) -> tuple[Stretch, ...]:
    """Cut a window into stretches, each read from the coarsest rows that fit it exactly.

    Where finer rows are gone, the window is widened to the whole hour or day that its edge lies in.
    """
    stretches: list[Stretch] = []
    at = since
    while at < until:
        grain = _grain_at(at, until, progress, coarsest)
        if grain is Grain.RAW:
            start, end = at, min(until, _next_raw_end(at, progress, coarsest))
        else:
            start = at // grain.value * grain.value
            end = start + grain.value
        if stretches and stretches[-1].grain is grain and stretches[-1].end_ms >= start:
            start = stretches.pop().start_ms
        stretches.append(Stretch(grain, start, end))
        at = end
    return tuple(stretches)


def _grain_at(at: int, until: int, progress: Progress, coarsest: Grain) -> Grain:
    if at < min(progress.hours_from_ms, progress.days_ms):
        return Grain.DAY
    if coarsest is Grain.DAY and _fits(at, until, progress.days_ms, DAY_MS):
        return Grain.DAY
    if at < min(progress.raw_from_ms, progress.hours_ms):
        return Grain.HOUR
    if coarsest is not Grain.RAW and _fits(at, until, progress.hours_ms, HOUR_MS):
        return Grain.HOUR
    return Grain.RAW


def _fits(at: int, until: int, summed: int, width: int) -> bool:
    return at % width == 0 and at + width <= min(until, summed)


def _next_raw_end(at: int, progress: Progress, coarsest: Grain) -> int:
    """Where to look again: the next full hour while hours are summed up, else never."""
    if coarsest is Grain.RAW or at >= progress.hours_ms:
        return 2**62
    return (at // HOUR_MS + 1) * HOUR_MS


async def read_progress(connection: AsyncConnection) -> Progress:
    """How far the summing up has come, over all tenants."""
    row = (await connection.execute(select(t.rollup_progress))).mappings().one()
    return Progress(**{name: value for name, value in row.items() if name != "id"})


class _Phases(msgspec.Struct, gc=False):
    """The phases of a stored run, read past everything else in its detail."""

    phases: dict[str, float] = {}


_phases = msgspec.json.Decoder(_Phases)
_phase_sums = msgspec.json.Decoder(dict[str, tuple[float, int]])

RAW_COLUMNS: tuple[Column[Any], ...] = (
    t.runs.c.monitor_id,
    t.runs.c.tenant,
    t.runs.c.region,
    t.runs.c.slot_ms,
    t.runs.c.state,
    t.runs.c.duration_ms,
    t.runs.c.detail,
)


def sample_of(row: Any) -> Sample:
    """The part of a stored run that is summed up."""
    return Sample(CODE_STATE[row.state], row.duration_ms, _phases.decode(row.detail).phases)


def _duration_of(row: Any) -> Sample:
    return Sample(CODE_STATE[row.state], row.duration_ms, {})


def summary_of(row: RowMapping, *, with_phases: bool = True) -> Summary:
    """The summary in a row of the hourly or daily table; most of the work is in the phases."""
    phases = _phase_sums.decode(row["phases"]) if with_phases else {}
    kept = row["phase_latency"] if with_phases else None
    return Summary(
        states={state: row[state.value] for state in _COUNTED if row[state.value]},
        latency=Histogram.decode(row["latency"]),
        phases=phases,
        phase_latency={} if kept is None else dict(zip(phases, decode_all(kept), strict=True)),
    )


def summary_columns(summary: Summary) -> dict[str, Any]:
    """A summary as columns of the hourly or daily table, without its key."""
    sums = {name: (round(total, 3), count) for name, (total, count) in summary.phases.items()}
    kept = summary.phase_latency
    return {
        **{state.value: summary.states.get(state, 0) for state in _COUNTED},
        "latency": summary.latency.encode(),
        "phases": json_text(sums),
        "phase_latency": encode_all(kept.get(name, _NOTHING) for name in sums) if kept else None,
    }


@dataclass(frozen=True, slots=True)
class Part:
    """One row of a stretch: a single run or a summary, with its monitor and where it begins."""

    monitor_id: str
    start_ms: int
    content: Sample | Summary


async def parts_within(
    connection: AsyncConnection,
    scope: Scope,
    monitor_ids: Sequence[str],
    stretch: Stretch,
    *,
    with_phases: bool = True,
) -> list[Part]:
    """Everything in a stretch for some monitors."""
    if stretch.grain is Grain.RAW:
        slot = t.runs.c.slot_ms
        query: Select[Any] = select(*RAW_COLUMNS).where(
            within(scope, t.runs),
            t.runs.c.monitor_id.in_(monitor_ids),
            slot >= stretch.start_ms,
            slot < stretch.end_ms,
        )
        rows = await connection.execute(query)
        read = sample_of if with_phases else _duration_of
        return [Part(row.monitor_id, row.slot_ms, read(row)) for row in rows]
    table = t.daily if stretch.grain is Grain.DAY else t.hourly
    query = select(table).where(
        within(scope, table),
        table.c.monitor_id.in_(monitor_ids),
        table.c.start_ms >= stretch.start_ms,
        table.c.start_ms < stretch.end_ms,
    )
    found = (await connection.execute(query)).mappings()
    return [
        Part(row["monitor_id"], row["start_ms"], summary_of(row, with_phases=with_phases))
        for row in found
    ]


async def parts_over(
    connection: AsyncConnection,
    scope: Scope,
    monitor_ids: Sequence[str],
    window: tuple[int, int],
    *,
    coarsest: Grain = Grain.DAY,
    with_phases: bool = True,
) -> list[Part]:
    """Everything in a window (milliseconds) for some monitors."""
    found: list[Part] = []
    for stretch in cover(*window, await read_progress(connection), coarsest):
        found += await parts_within(
            connection, scope, monitor_ids, stretch, with_phases=with_phases
        )
    return found


def fold(parts: Sequence[Part]) -> Summary:
    """All parts in one summary."""
    samples = [part.content for part in parts if isinstance(part.content, Sample)]
    summaries = [part.content for part in parts if isinstance(part.content, Summary)]
    return combine([*summaries, summarize(samples)])


def fold_by(parts: Sequence[Part], key: Callable[[Part], K]) -> Mapping[K, Summary]:
    """The parts of each key in one summary each."""
    grouped: dict[K, list[Part]] = {}
    for part in parts:
        grouped.setdefault(key(part), []).append(part)
    return {each: fold(found) for each, found in grouped.items()}
