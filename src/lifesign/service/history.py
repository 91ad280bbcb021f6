"""The past of monitors: uptime, percentiles, chart points, days, single runs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from lifesign.clock import Clock
from lifesign.core.errors import InvalidError
from lifesign.core.latency import MONTH, WEEK, baseline_of, is_young, limit_ms
from lifesign.core.model import Monitor, State
from lifesign.core.paging import Page
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.monitor_views import run_view
from lifesign.service.views import (
    DayView,
    HistoryView,
    LatencyView,
    LatencyWindow,
    PercentilesView,
    RunView,
    SeriesPoint,
)
from lifesign.store import Store
from lifesign.store.values import Bucket, DayBar, Latency, Percentiles

MAX_POINTS = 2000
MAX_DAYS = 1830
MAX_WINDOW = timedelta(days=1830)
A_DAY = timedelta(days=1)
WINDOWS: Mapping[str, timedelta] = MappingProxyType({"24h": A_DAY, "7d": WEEK, "30d": MONTH})
"""The windows of which percentiles are told at once."""


class Histories:
    """Reads of the past; ids are those of monitors that exist."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def history(
        self, scope: Scope, id: str, *, since: datetime, until: datetime, points: int, days: int
    ) -> HistoryView:
        """One monitor's window and its days. Raises InvalidError for a window that cannot be drawn."""
        require(scope, Grant.READ)
        _check_window(since, until, points=points, days=days)
        seen, now = self._store.observations, self._clock.now()
        uptime = await seen.uptime(scope, id, since, min(until, max(now, since)))
        # One point is no chart: whoever asks for it wants the days.
        is_chart = points > 1
        if is_chart:
            latency = await seen.latency(scope, id, since, until)
        else:
            latency = Latency(await seen.percentiles(scope, id, since, until))
        buckets = await seen.series(scope, id, since, until, points, with_phases=is_chart)
        bars = await seen.days(scope, id, days=days, now=now) if days else []
        return HistoryView(
            monitor_id=id,
            since=since,
            until=until,
            uptime=uptime.ratio,
            down_s=uptime.seconds.get(State.DOWN, 0.0),
            p50_ms=latency.total.p50_ms,
            p95_ms=latency.total.p95_ms,
            p99_ms=latency.total.p99_ms,
            phases=_phases(latency.phases),
            points=tuple([_point(bucket) for bucket in buckets]),
            days=tuple([_day(bar) for bar in bars]),
        )

    async def latency(self, scope: Scope, monitor: Monitor) -> LatencyView:
        """Percentiles of the last 24 hours, 7 and 30 days, and what is usual, as it is held against runs from now on."""
        require(scope, Grant.READ)
        seen, now = self._store.observations, self._clock.now()
        found = await seen.latencies(scope, monitor.id, until=now, spans=tuple(WINDOWS.values()))
        hour = now.replace(minute=0, second=0, microsecond=0)
        past = await seen.slices(
            scope,
            [monitor.id],
            since=hour - MONTH,
            until=hour,
            by_hour=is_young(monitor.created_at, hour),
        )
        usual = baseline_of(past[monitor.id], until=hour)
        factor = monitor.policy.latency_factor
        return LatencyView(
            monitor_id=monitor.id,
            windows=tuple(
                [
                    LatencyWindow(window=name, total=_shown(one.total), phases=_phases(one.phases))
                    for name, one in zip(WINDOWS, found, strict=True)
                ]
            ),
            baseline_p95_ms=usual.p95_ms if usual else None,
            baseline_runs=usual.runs if usual else 0,
            baseline_days=usual.days if usual else 0,
            limit_ms=limit_ms(usual.p95_ms, factor) if usual and factor else None,
        )

    async def runs(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime | None,
        until: datetime | None,
        limit: int,
        cursor: str | None,
        states: tuple[State, ...],
    ) -> Page[RunView]:
        """Single runs, newest first."""
        require(scope, Grant.READ)
        page = await self._store.observations.runs(
            scope, id, since=since, until=until, limit=limit, cursor=cursor, states=states or None
        )
        return Page(tuple([run_view(run) for run in page.items]), page.next_cursor)


def _check_window(since: datetime, until: datetime, *, points: int, days: int) -> None:
    problems: list[tuple[str, str]] = []
    if since >= until:
        problems.append(("since", "is not before `until`"))
    elif until - since > MAX_WINDOW:
        problems.append(("since", f"is more than {MAX_WINDOW.days} days before `until`"))
    if not 1 <= points <= MAX_POINTS:
        problems.append(("points", f"must be between 1 and {MAX_POINTS}"))
    if not 0 <= days <= MAX_DAYS:
        problems.append(("days", f"must be between 0 and {MAX_DAYS}"))
    if problems:
        said = "; ".join(f"{field} {reason}" for field, reason in problems)
        raise InvalidError(f"This history cannot be drawn: {said}.", problems=tuple(problems))


def _point(bucket: Bucket) -> SeriesPoint:
    states: Mapping[State, int] = bucket.states
    return SeriesPoint(
        at=bucket.at,
        count=bucket.count,
        up=states.get(State.UP, 0),
        degraded=states.get(State.DEGRADED, 0),
        down=states.get(State.DOWN, 0),
        unknown=states.get(State.UNKNOWN, 0),
        p50_ms=bucket.latency.p50_ms,
        p95_ms=bucket.latency.p95_ms,
        p99_ms=bucket.latency.p99_ms,
        phases_ms=bucket.phases_ms,
        phases=_phases(bucket.phases),
    )


def _phases(found: Mapping[str, Percentiles]) -> Mapping[str, PercentilesView]:
    return {name: _shown(each) for name, each in found.items()}


def _shown(found: Percentiles) -> PercentilesView:
    return PercentilesView(
        count=found.count, p50_ms=found.p50_ms, p95_ms=found.p95_ms, p99_ms=found.p99_ms
    )


def _day(bar: DayBar) -> DayView:
    seconds = bar.uptime.seconds
    return DayView(
        day=bar.day.isoformat(),
        up_s=seconds.get(State.UP, 0.0),
        degraded_s=seconds.get(State.DEGRADED, 0.0),
        down_s=seconds.get(State.DOWN, 0.0),
        maintenance_s=seconds.get(State.MAINTENANCE, 0.0),
        paused_s=seconds.get(State.PAUSED, 0.0),
        unknown_s=seconds.get(State.UNKNOWN, 0.0),
    )
