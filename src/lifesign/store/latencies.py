"""How long runs took: percentiles of windows and phases, and the past that baselines are made of."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lifesign.core.latency import Slice
from lifesign.core.rollup import Histogram, Summary, combine
from lifesign.core.scope import Scope
from lifesign.store.columns import from_ms, to_ms
from lifesign.store.repository import Repository
from lifesign.store.summaries import (
    DAY_MS,
    HOUR_MS,
    Grain,
    Part,
    cover,
    fold,
    parts_over,
    parts_within,
    read_progress,
)
from lifesign.store.values import Latency, Percentiles


class Latencies(Repository):
    """Percentiles come from merged histograms, never from an average of percentiles. Windows are half open."""

    async def percentiles(
        self, scope: Scope, monitor_id: str, since: datetime, until: datetime
    ) -> Percentiles:
        """Percentiles of any window."""
        window = (to_ms(since), to_ms(until))
        async with self._database.read() as connection:
            parts = await parts_over(connection, scope, [monitor_id], window, with_phases=False)
        return percentiles_of(fold(parts).latency)

    async def latency(
        self, scope: Scope, monitor_id: str, since: datetime, until: datetime
    ) -> Latency:
        """Percentiles of any window, as a whole and of each phase."""
        window = (to_ms(since), to_ms(until))
        async with self._database.read() as connection:
            return latency_of(fold(await parts_over(connection, scope, [monitor_id], window)))

    async def latencies(
        self, scope: Scope, monitor_id: str, *, until: datetime, spans: Sequence[timedelta]
    ) -> list[Latency]:
        """Percentiles of several windows that end at one instant, in one read; `spans` rise.

        Each begins at the whole hour before, which saves reading single runs.
        """
        end = to_ms(until)
        found: list[Latency] = []
        summary = Summary()
        async with self._database.read() as connection:
            progress = await read_progress(connection)
            for span in spans:
                start = to_ms(until - span) // HOUR_MS * HOUR_MS
                stretches = cover(start, end, progress, Grain.DAY)
                parts = [
                    part
                    for stretch in stretches
                    for part in await parts_within(connection, scope, [monitor_id], stretch)
                ]
                summary = combine([summary, fold(parts)])
                # A stretch may begin before its window where finer rows are gone: nothing is counted twice.
                end = stretches[0].start_ms if stretches else end
                found.append(latency_of(summary))
        return found

    async def slices(
        self,
        scope: Scope,
        monitor_ids: Sequence[str],
        *,
        since: datetime,
        until: datetime,
        by_hour: bool = False,
    ) -> Mapping[str, list[Slice]]:
        """How long good runs took, in slices of days and, at the end, hours; `by_hour` of hours alone."""
        since_ms, until_ms = to_ms(since) // DAY_MS * DAY_MS, to_ms(until)
        coarsest = Grain.HOUR if by_hour else Grain.DAY
        found: dict[str, list[Slice]] = {each: [] for each in monitor_ids}
        async with self._database.read() as connection:
            progress = await read_progress(connection)
            for stretch in cover(since_ms, until_ms, progress, coarsest):
                width = stretch.grain.value or HOUR_MS
                for part in await parts_within(
                    connection, scope, monitor_ids, stretch, with_phases=False
                ):
                    found[part.monitor_id].append(_slice(part, width))
        return found


def percentiles_of(latency: Histogram) -> Percentiles:
    """The percentiles that people see."""
    return Percentiles(latency.count, *latency.quantiles(0.5, 0.95, 0.99))


def latency_of(summary: Summary) -> Latency:
    """The percentiles of the whole and of each phase."""
    phases = {name: percentiles_of(found) for name, found in summary.phase_latency.items()}
    return Latency(percentiles_of(summary.latency), phases)


def _slice(part: Part, width_ms: int) -> Slice:
    """A part as a slice; a single run is told by its whole hour, so that it never looks older than it is."""
    start = part.start_ms // width_ms * width_ms
    content = part.content
    latency = content.latency if isinstance(content, Summary) else fold([part]).latency
    return Slice(from_ms(start), from_ms(start + width_ms), latency)
