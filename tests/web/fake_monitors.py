"""Monitors without a store: listing, searching, changing, and an invented past."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lifesign.core.errors import InvalidError, NotFoundError
from lifesign.core.model import (
    Check,
    Owner,
    State,
)
from lifesign.core.paging import Page
from lifesign.core.scope import Scope
from lifesign.service.views import (
    DayView,
    HistoryView,
    LatencyView,
    MonitorView,
    PercentilesView,
    RunView,
    SeriesPoint,
)
from lifesign.store.values import MonitorQuery
from web.fake_kinds import NOW
from web.scene import monitor, monitors_of_the_scene


@dataclass
class FakeMonitors:
    rows: list[MonitorView] = field(default_factory=monitors_of_the_scene)
    calls: list[tuple[str, object]] = field(default_factory=list)
    refuse: InvalidError | None = None

    async def list(self, _scope: Scope, query: MonitorQuery) -> Page[MonitorView]:
        self.calls.append(("list", query))
        found = [
            one for one in self.rows
            if (not query.states or one.state in query.states)
            and (not query.kind or one.kind == query.kind)
            and (not query.tag or query.tag in one.tags)
            and (not query.group or one.group == query.group)
            and query.text.lower() in one.name.lower()
        ]  # fmt: skip
        start = int(query.cursor or 0)
        end = start + query.limit
        return Page(tuple(found[start:end]), str(end) if end < len(found) else None, len(found))

    async def get(self, _scope: Scope, id_or_slug: str) -> MonitorView:
        for one in self.rows:
            if id_or_slug in (one.id, one.slug):
                return one
        raise NotFoundError(f"There is no monitor {id_or_slug}.", remedy="See the overview.")

    async def history(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime,
        until: datetime,
        points: int = 120,
        days: int = 90,
    ) -> HistoryView:
        one = await self.get(scope, id)
        rng = random.Random(id)
        step = (until - since) / max(points, 1)
        empty = one.last_run is None
        series = tuple(
            _point(since + step * i, rng, one, last=i >= points - 3, empty=empty)
            for i in range(points)
        )
        bars = tuple(_day(i, days, rng, one) for i in range(days))
        known = None if empty else 1.0
        return HistoryView(
            monitor_id=one.id, since=since, until=until, uptime=one.uptime_24h, down_s=360.0,
            p50_ms=known and 96.0, p95_ms=known and 143.0, p99_ms=known and 201.4, points=series, days=bars,
            phases=_percentiles(one.last_run.phases_ms if one.last_run else {}),
        )  # fmt: skip

    async def latency(self, scope: Scope, id: str) -> LatencyView:
        one = await self.get(scope, id)
        usual = None if one.last_run is None else 120.0
        return LatencyView(
            monitor_id=one.id, windows=(), baseline_p95_ms=usual, baseline_runs=9800,
            baseline_days=7, limit_ms=usual and 3 * usual,
        )  # fmt: skip

    async def runs(
        self, scope: Scope, id: str, *, limit: int = 50, cursor: str | None = None, **_more: object
    ) -> Page[RunView]:
        one = await self.get(scope, id)
        if one.last_run is None:
            return Page(())
        good = replace(
            one.last_run,
            state=State.UP,
            failure=None,
            findings=(),
            checks=(Check("status == 200", True, "200"),),
        )
        start = int(cursor or 0)
        runs = [
            replace(
                one.last_run if start + i < 4 else good,
                started_at=NOW - timedelta(seconds=12 + 60 * (start + i)),
            )
            for i in range(limit)
        ]
        return Page(tuple(runs), str(start + limit) if start < 100 else None)

    async def add(self, _scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> MonitorView:
        self.calls.append(("add", dict(draft)))
        if self.refuse:
            raise self.refuse
        made = monitor(
            "added",
            name=str(draft.get("name") or "added"),
            kind=str(draft["kind"]),
            owner=owner,
            last_run=None,
        )
        self.rows.append(made)
        return made

    async def update(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> MonitorView:
        self.calls.append(
            ("update", dict(changes) | {"expected_version": expected_version, "owner": owner})
        )
        return await self.get(scope, id)

    async def remove(self, scope: Scope, id: str) -> None:
        self.rows.remove(await self.get(scope, id))

    async def pause(self, scope: Scope, id: str) -> MonitorView:
        return await self._put(scope, id, state=State.PAUSED, paused=True)

    async def resume(self, scope: Scope, id: str) -> MonitorView:
        return await self._put(scope, id, state=State.UP, paused=False)

    async def run_now(self, _scope: Scope, id: str) -> None:
        self.calls.append(("run_now", id))

    async def _put(self, scope: Scope, id: str, **changes: object) -> MonitorView:
        one = await self.get(scope, id)
        changed = replace(one, **changes)  # type: ignore[arg-type]
        self.rows[self.rows.index(one)] = changed
        return changed


def _percentiles(means: Mapping[str, float]) -> dict[str, PercentilesView]:
    return {
        name: PercentilesView(count=15, p50_ms=mean, p95_ms=mean * 1.5, p99_ms=mean * 2)
        for name, mean in means.items()
    }


def _point(
    at: datetime, rng: random.Random, one: MonitorView, *, last: bool, empty: bool
) -> SeriesPoint:
    names = one.last_run.phases_ms if one.last_run else {}
    gap = empty or rng.random() > 0.97
    spike = 2.4 if rng.random() > 0.96 else 1.0
    phases = (
        {}
        if gap
        else {
            name: round(value * rng.uniform(0.8, 1.25) * spike, 2) for name, value in names.items()
        }
    )
    total = sum(phases.values())
    down = 15 if last and one.state is State.DOWN and not gap else 0
    return SeriesPoint(
        at=at, count=0 if gap else 15, up=0 if gap else 15 - down, degraded=0, down=down, unknown=0,
        p50_ms=None if gap else total, p95_ms=None if gap else total * 1.3,
        p99_ms=None if gap else total * 1.7, phases_ms=phases, phases=_percentiles(phases),
    )  # fmt: skip


def _day(index: int, days: int, rng: random.Random, one: MonitorView) -> DayView:
    day = (NOW - timedelta(days=days - 1 - index)).date().isoformat()
    total = 86_400.0
    if one.last_run is None or index < days // 12:
        return DayView(
            day=day, up_s=0, degraded_s=0, down_s=0, maintenance_s=0, paused_s=0, unknown_s=0
        )
    down = float(rng.choice((0,) * 30 + (65, 1800))) + (
        360.0 if index == days - 1 and one.state is State.DOWN else 0
    )
    slow = float(rng.choice((0,) * 25 + (2460,)))
    kept = float(rng.choice((0,) * 60 + (7200,)))
    return DayView(
        day=day,
        up_s=total - down - slow - kept,
        degraded_s=slow,
        down_s=down,
        maintenance_s=kept,
        paused_s=0,
        unknown_s=0,
    )
