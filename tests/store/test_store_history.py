import math
import random
from datetime import timedelta

import pytest

from lifesign.core.batch import Batch, Event
from lifesign.core.messages import AlertState
from lifesign.core.model import State, Transition
from lifesign.core.rollup import RELATIVE_ERROR
from lifesign.store import Percentiles, Retention, Store
from store.making import OURS, T0, THEIRS, a_monitor, a_ping, a_run, a_transition, an_alert, at

pytestmark = pytest.mark.usefixtures("monitor")

DAY = timedelta(days=1)


def _true_quantile(values: list[float], q: float) -> float:
    return sorted(values)[math.floor(q * (len(values) - 1))]


async def _watch(store: Store, *, hours: int, every_s: int = 300) -> dict[int, float]:
    """Runs over some hours with durations that a mean of percentiles would get wrong; by second."""
    chance = random.Random(7)
    durations = {
        second: chance.lognormvariate(3 + second / 40_000, 1)
        for second in range(0, hours * 3600, every_s)
    }
    runs = [a_run(at(seconds=s), duration_ms=ms) for s, ms in durations.items()]
    for first in range(0, len(runs), 200):
        await store.observations.commit(Batch(runs=tuple(runs[first : first + 200])))
    return durations


def _check(found: Percentiles, values: list[float]) -> None:
    assert found.count == len(values)
    for q, ms in ((0.5, found.p50_ms), (0.95, found.p95_ms), (0.99, found.p99_ms)):
        assert ms == pytest.approx(_true_quantile(values, q), rel=RELATIVE_ERROR + 1e-9)


@pytest.mark.parametrize(("since_s", "until_s"), [(0, 180_000), (1000, 90_000), (86_400, 86_900)])
async def test_percentiles_of_any_window_are_right_before_and_after_summing_up(
    store: Store, since_s: int, until_s: int
):
    durations = await _watch(store, hours=50)
    inside = [ms for second, ms in durations.items() if since_s <= second < until_s]
    window = (OURS, "m1", at(seconds=since_s), at(seconds=until_s))

    _check(await store.observations.percentiles(*window), inside)
    await store.observations.roll_up(at(hours=49))
    _check(await store.observations.percentiles(*window), inside)
    await store.observations.prune(at(hours=49), Retention(raw=timedelta(0), hourly=timedelta(0)))
    if since_s % 86_400 == 0 and until_s == 180_000:
        _check(await store.observations.percentiles(*window), inside)


async def test_summing_up_twice_changes_nothing_and_late_runs_are_counted(store: Store):
    await _watch(store, hours=30)
    await store.observations.roll_up(at(hours=30))
    await store.observations.roll_up(at(hours=30))
    before = await store.observations.percentiles(OURS, "m1", T0, T0 + DAY)

    late = tuple(a_run(at(minutes=n), region="far") for n in range(10))
    await store.observations.commit(Batch(runs=late))
    await store.observations.roll_up(at(hours=30))
    after = await store.observations.percentiles(OURS, "m1", T0, T0 + DAY)

    assert (before.count, after.count) == (288, 298)


async def test_a_series_counts_every_run_once_whatever_it_is_read_from(store: Store):
    await _watch(store, hours=50)
    await store.observations.commit(Batch(runs=(a_run(at(minutes=1), State.DOWN),)))

    async def steps(points: int) -> list[int]:
        found = await store.observations.series(OURS, "m1", T0, at(hours=50), points)
        return [bucket.count for bucket in found]

    fresh = [await steps(points) for points in (500, 25, 2)]
    await store.observations.roll_up(at(hours=49))
    summed = [await steps(points) for points in (500, 25, 2)]

    assert summed == fresh
    assert [sum(counts) for counts in fresh] == [601, 601, 601]
    assert len(fresh[0]) == 500
    (first, *_) = await store.observations.series(OURS, "m1", T0, at(hours=50), 25)
    assert (first.at, first.states) == (T0, {State.UP: 24, State.DOWN: 1})
    assert first.phases_ms == {"dns": 1.5, "connect": 2.5}


async def test_a_series_names_its_gaps(store: Store):
    await store.observations.commit(Batch(runs=(a_run(at(minutes=5)),)))

    series = await store.observations.series(OURS, "m1", T0, at(minutes=10), 5)

    assert [bucket.count for bucket in series] == [0, 0, 1, 0, 0]
    assert series[0].latency == Percentiles(0, None, None, None)
    assert [b.count for b in await store.observations.series(THEIRS, "m1", T0, at(hours=1), 2)] == [
        0,
        0,
    ]


def _story() -> tuple[Transition, ...]:
    changes = [
        (at(hours=6), State.UNKNOWN, State.UP),
        (at(hours=30), State.UP, State.DOWN),
        (at(hours=31), State.DOWN, State.UP),
        (at(hours=40), State.UP, State.MAINTENANCE),
        (at(hours=41), State.MAINTENANCE, State.UNKNOWN),
        (at(hours=44), State.UNKNOWN, State.DEGRADED),
    ]
    return tuple(a_transition(*change) for change in changes)


async def test_days_are_exact(store: Store):
    await store.observations.commit(Batch(transitions=_story()))

    first, second, today = await store.observations.days(OURS, "m1", days=3, now=at(hours=50))

    assert first.uptime.no_data_s == 6 * 3600
    assert first.uptime.seconds[State.UP] == 18 * 3600
    assert first.uptime.ratio == 1.0
    assert {s: t / 3600 for s, t in second.uptime.seconds.items() if t} == {
        State.UP: 15,
        State.DOWN: 1,
        State.MAINTENANCE: 1,
        State.UNKNOWN: 3,
        State.DEGRADED: 4,
    }
    assert second.uptime.ratio == pytest.approx(1 - 1 / 20)
    assert today.uptime.seconds[State.DEGRADED] == 2 * 3600


async def test_uptime_of_a_window_begins_in_the_state_it_was_in(store: Store):
    await store.observations.commit(Batch(transitions=_story()))

    within = await store.observations.uptime(OURS, "m1", at(hours=30.5), at(hours=31.5))
    nothing = await store.observations.uptime(OURS, "m1", at(hours=-2), at(hours=-1))

    assert within.ratio == pytest.approx(0.5)
    assert (nothing.ratio, nothing.no_data_s) == (None, 3600)
    assert (await store.observations.uptime(THEIRS, "m1", T0, at(hours=50))).ratio is None


async def test_transitions_page_newest_first(store: Store):
    await store.observations.commit(Batch(transitions=_story()))

    first = await store.observations.transitions(OURS, "m1", limit=4)
    second = await store.observations.transitions(OURS, "m1", limit=4, cursor=first.next_cursor)

    assert (*first.items, *second.items) == _story()[::-1]


async def test_digests_hold_uptime_and_percentiles(store: Store):
    await store.monitors.add(OURS, a_monitor("m2"))
    await store.observations.commit(Batch(runs=(a_run(),), transitions=_story()))

    digests = await store.observations.digests(OURS, ["m1", "m2"], T0, at(hours=30))

    assert (digests["m1"].latency.count, digests["m1"].uptime.ratio) == (1, 1.0)
    assert (digests["m2"].latency.count, digests["m2"].uptime.ratio) == (0, None)


async def test_nothing_goes_that_is_not_summed_up(store: Store):
    await _watch(store, hours=3)

    await store.observations.prune(at(days=365), Retention())

    assert len((await store.observations.runs(OURS, "m1", limit=100)).items) == 36


async def test_late_runs_hold_their_hour_back_until_they_are_summed_up(store: Store):
    await _watch(store, hours=3)
    await store.observations.roll_up(at(hours=4))
    await store.observations.commit(Batch(runs=(a_run(at(minutes=61)),)))

    await store.observations.prune(at(days=365), Retention())
    kept = await store.observations.runs(OURS, "m1", limit=100)
    await store.observations.roll_up(at(hours=4))
    await store.observations.prune(at(days=365), Retention())

    assert min(run.slot for run in kept.items) == at(hours=1)
    assert (await store.observations.runs(OURS, "m1")).items == ()
    assert (await store.observations.percentiles(OURS, "m1", T0, at(hours=3))).count == 37


async def test_pruning_keeps_what_is_still_needed(store: Store):
    old = an_alert("a2", key="k2", state=AlertState.RESOLVED, resolved_at=T0)
    await store.observations.commit(
        Batch(
            transitions=_story(),
            alerts=(an_alert(), old),
            pings=(a_ping("start"), a_ping("success"), a_ping("success", body=b"newest")),
            events=(Event(type="monitor.state", at=T0),),
        )
    )

    await store.observations.prune(at(days=10_000), Retention())

    (kept,) = (await store.observations.transitions(OURS, "m1")).items
    assert kept.after is State.DEGRADED
    assert [alert.id for alert in await store.alerts.open_alerts()] == ["a1"]
    assert [p.action for p in await store.pings.recent(OURS, "m1")] == ["success", "start"]
    assert (await store.events.oldest_id(), await store.events.newest_id()) == (2, 1)


async def test_pruning_keeps_up_with_many_rows(store: Store):
    await _watch(store, hours=24, every_s=30)
    await store.observations.roll_up(at(hours=25))

    gone = await store.observations.prune(at(days=20), Retention())

    assert gone == 2880
    assert (await store.observations.percentiles(OURS, "m1", T0, T0 + DAY)).count == 2880
