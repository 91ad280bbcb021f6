"""Percentiles by window and phase, and what is usual of a monitor."""

from datetime import timedelta

import pytest

from lifesign.core.batch import Batch
from lifesign.core.model import Observation, Outcome, Owner, Run, State
from lifesign.core.rollup import RELATIVE_ERROR
from lifesign.service.views import MonitorView
from premises import ADMIN, READER, Premises

EVERY = timedelta(minutes=10)
PHASES = {"tcp": 10.0, "http": 90.0}


async def _watched(house: Premises, *, days: int, **policy: object) -> MonitorView:
    """A monitor with so many days of runs of 100 ms; the clock stands at their end."""
    draft = {"target": "127.0.0.1:9", "policy": policy}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    runs = []
    for _ in range(days * 144):
        house.clock.advance(EVERY.total_seconds())
        at = house.clock.now()
        seen = Observation(phases_ms=PHASES)
        runs.append(Run(view.id, at, seen, Outcome(State.UP), started_at=at, duration_ms=100.0))
    for first in range(0, len(runs), 500):
        await house.store.observations.commit(Batch(runs=tuple(runs[first : first + 500])))
    house.clock.advance(1)
    await house.store.observations.roll_up(house.clock.now())
    return view


async def test_three_windows_tell_percentiles_of_every_phase(house: Premises) -> None:
    view = await _watched(house, days=9)
    seen = await house.services.monitors.latency(READER, view.slug)
    nearly = pytest.approx(90.0, rel=RELATIVE_ERROR)

    assert [each.window for each in seen.windows] == ["24h", "7d", "30d"]
    assert [each.total.count for each in seen.windows] == [145, 7 * 144 + 1, 9 * 144]
    for window in seen.windows:
        assert list(window.phases) == ["tcp", "http"]
        http = window.phases["http"]
        assert (http.p50_ms, http.p95_ms, http.p99_ms) == (nearly, nearly, nearly)


async def test_what_is_usual_and_what_would_be_told(house: Premises) -> None:
    view = await _watched(house, days=9, latency_factor=2.5)
    seen = await house.services.monitors.latency(READER, view.id)

    assert seen.baseline_p95_ms == pytest.approx(100.0, rel=RELATIVE_ERROR)
    assert (seen.baseline_days, seen.baseline_runs) == (7, 7 * 144)
    assert seen.baseline_p95_ms is not None
    assert seen.limit_ms == seen.baseline_p95_ms * 2.5


@pytest.mark.parametrize(("days", "policy"), [(0, {}), (9, {"latency_factor": None})])
async def test_nothing_would_be_told_without_a_past_or_when_it_is_off(
    house: Premises, days: int, policy: dict[str, object]
) -> None:
    view = await _watched(house, days=days, **policy)
    seen = await house.services.monitors.latency(READER, view.id)

    assert seen.limit_ms is None
    assert (seen.baseline_p95_ms is None) is (days == 0)


async def test_a_chart_has_percentiles_of_phases_and_a_single_point_none(house: Premises) -> None:
    view = await _watched(house, days=2)
    until = house.clock.now()
    since = until - timedelta(days=1)
    chart = await house.services.monitors.history(
        READER, view.id, since=since, until=until, points=24, days=1
    )
    days = await house.services.monitors.history(
        READER, view.id, since=since, until=until, points=1, days=1
    )

    assert set(chart.phases) == {"tcp", "http"}
    assert chart.points[0].phases["tcp"].count == chart.points[0].count
    assert days.phases == {}
    assert days.p95_ms == chart.p95_ms
