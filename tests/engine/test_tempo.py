"""Latency over a real store and the real judge: what is told, what ends it, and what a restart forgets."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.workshop import SCOPE, Stage, monitor, opened, running, until
from lifesign.bus import LocalBus
from lifesign.clock import FakeClock
from lifesign.core.batch import Batch
from lifesign.core.drift.values import Release
from lifesign.core.messages import Alert, AlertState
from lifesign.core.model import Monitor, Observation, Outcome, Policy, Run, Severity, State
from lifesign.engine.gauges import Gauges
from lifesign.engine.judge import Judge
from lifesign.engine.tempo import MOST_READ, Tempo
from lifesign.engine.watch import Compiler, Memory
from lifesign.store import AlertQuery, Store

T0 = datetime(2026, 3, 1, tzinfo=UTC)
EVERY_S = 600.0
"""A period of these monitors is 50 minutes: five runs, ten minutes apart."""
POLICY = Policy(confirmations=2, recoveries=1)


@dataclass
class Bench:
    """The judge and the tempo of an engine that has just begun, over a store with a past."""

    store: Store
    clock: FakeClock
    memory: Memory
    judge: Judge
    tempo: Tempo

    async def live(self, *p95s: float, id: str = "m1", state: State = State.UP) -> None:
        """Let the monitor have one period for each p95, with a turn of the loop after every run."""
        for ms in p95s:
            for _ in range(5):
                self.clock.advance(EVERY_S)
                await self.run_once(id, ms, state)

    async def run_once(self, id: str, ms: float, state: State = State.UP) -> None:
        run = _run(self.clock.now(), ms, id=id, state=state)
        await self.judge.settle(lambda fold: fold.add_runs([run]))
        await self.tempo.turn()

    def alert(self, id: str = "m1") -> Alert | None:
        return self.memory.alerts.get(f"latency/{id}")

    def change(self, **changes: object) -> None:
        """Change the monitor m1 as a face would."""
        watched = self.memory.watched["m1"]
        watched.monitor = replace(watched.monitor, **changes)  # type: ignore[arg-type]


def _run(at: datetime, ms: float, *, id: str = "m1", state: State = State.UP) -> Run:
    seen = Observation(facts={"latency_ms": ms}, phases_ms={"dns": ms / 10, "tcp": ms * 0.9})
    return Run(id, at, seen, Outcome(state), started_at=at, duration_ms=ms)


async def _past(
    store: Store, *, days: int, ms: float, until: datetime = T0, id: str = "m1"
) -> None:
    """So many days of runs that all took as long."""
    ats = [until - timedelta(seconds=EVERY_S * n) for n in range(1, days * 144 + 1)]
    for first in range(0, len(ats), 1000):
        runs = [_run(at, ms, id=id) for at in reversed(ats[first : first + 1000])]
        await store.observations.commit(Batch(runs=tuple(runs)))


async def begun(store: Store, clock: FakeClock, monitors: Iterable[Monitor]) -> Bench:
    """What a start of the engine makes of the store."""
    compiler = Compiler(Stage().kinds())
    memory = Memory(watched={each.id: compiler.ready(each) for each in monitors})
    memory.alerts.update({each.key: each for each in await store.alerts.open_alerts()})
    gauges = Gauges(started_at=clock.now())
    judge = Judge(
        store=store, bus=LocalBus(), clock=clock, gauges=gauges, memory=memory,
        hasten=lambda _id: None, wake_notifier=lambda: None, hear=lambda runs: tempo.hear(runs),  # noqa: PLW0108 - it is made next
    )  # fmt: skip
    tempo = Tempo(store=store, clock=clock, gauges=gauges, memory=memory, settle=judge.settle)
    return Bench(store, clock, memory, judge, tempo)


def _monitor(id: str = "m1", **changes: object) -> Monitor:
    born = T0 - timedelta(days=100)
    given = {"interval_s": EVERY_S, "created_at": born, "updated_at": born, "policy": POLICY}
    return monitor(id, **{**given, **changes})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as store:
        yield store


async def _bench(store: Store, *, days: int = 8, ms: float = 100.0, **changes: object) -> Bench:
    stored = await store.monitors.add(SCOPE, _monitor(**changes))
    await _past(store, days=days, ms=ms)
    await store.observations.roll_up(T0)
    bench = await begun(store, FakeClock(T0), [stored])
    await bench.live(100, 100)
    return bench


async def test_three_slow_periods_fire_an_alert_and_three_good_ones_resolve_it(store: Store):
    bench = await _bench(store)

    await bench.live(400, 400)
    assert bench.alert() is None
    await bench.live(400, 400)
    fired = bench.alert()
    await bench.live(100, 100, 100)
    assert bench.alert() is not None
    await bench.live(100)
    ended = bench.alert()
    told = await store.alerts.list(SCOPE, AlertQuery(monitor_id="m1"))

    assert fired is not None
    assert fired.severity is Severity.MEDIUM
    assert fired.failure is not None
    assert fired.failure.code == "p95_over_baseline"
    assert "7 days" in fired.failure.message
    assert "phase tcp" in fired.failure.message
    assert ended is None
    assert [each.state for each in told.items] == [AlertState.RESOLVED]


async def test_a_restart_goes_on_with_an_open_alert(store: Store):
    bench = await _bench(store)
    await bench.live(400, 400, 400, 400)

    again = await begun(store, bench.clock, [bench.memory.watched["m1"].monitor])
    await again.live(400, 400, 400)
    still = again.alert()
    await again.live(100, 100, 100, 100)

    assert still is not None
    assert still == bench.alert()
    assert again.alert() is None


async def test_a_long_elevation_is_not_its_own_baseline(store: Store):
    bench = await _bench(store)

    for _ in range(4):
        await bench.live(*[400] * 6)
        await store.observations.roll_up(bench.clock.now())

    assert bench.alert() is not None


async def test_too_little_past_tells_nothing(store: Store):
    born = T0 - timedelta(hours=20)
    bench = await _bench(store, days=0, created_at=born)

    await bench.live(400, 400, 400, 400, 400)

    assert bench.alert() is None


async def test_turning_it_off_ends_what_is_told(store: Store):
    bench = await _bench(store)
    await bench.live(400, 400, 400, 400)
    assert bench.alert() is not None

    bench.change(policy=replace(POLICY, latency_factor=None))
    await bench.live(400)

    assert bench.alert() is None


async def test_a_pause_ends_what_is_told(store: Store):
    bench = await _bench(store)
    await bench.live(400, 400, 400, 400)

    bench.change(paused=True)
    bench.clock.advance(120)
    await bench.tempo.turn()

    assert bench.alert() is None


async def test_after_a_release_half_as_much_again_is_a_regression(store: Store):
    bench = await _bench(store)
    now = bench.clock.now()
    release = Release(
        id="rel_1", monitor_id="m1", starts_at=now, ends_at=now + timedelta(minutes=5)
    )
    await store.surfaces.announce(SCOPE, [release])

    await bench.live(180, 180, 180, 180, 180)
    told = bench.alert()
    await bench.live(*[180] * 40)

    assert told is not None
    assert told.failure is not None
    assert told.failure.code == "latency_regression"
    assert bench.alert() == told
    await bench.live(100, 100, 100, 100)
    assert bench.alert() is None


async def test_without_a_release_half_as_much_again_tells_nothing(store: Store):
    bench = await _bench(store)

    await bench.live(180, 180, 180, 180, 180)

    assert bench.alert() is None


async def test_growth_over_weeks_is_told_low(store: Store):
    stored = await store.monitors.add(SCOPE, _monitor())
    await _past(store, days=7, ms=100, until=T0 - timedelta(days=28))
    await _past(store, days=7, ms=180)
    await store.observations.roll_up(T0)
    bench = await begun(store, FakeClock(T0), [stored])

    await bench.live(180, 180, 180)
    told = bench.alert()

    assert told is not None
    assert told.severity is Severity.LOW
    assert told.failure is not None
    assert told.failure.code == "slow_burn"


async def test_runs_that_failed_are_no_measure(store: Store):
    bench = await _bench(store)

    await bench.live(9000, 9000, 9000, 9000, state=State.UNKNOWN)

    assert bench.alert() is None


async def test_the_past_of_a_few_monitors_is_read_in_a_turn(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    stored = [await store.monitors.add(SCOPE, _monitor(f"m{n}")) for n in range(2 * MOST_READ + 1)]
    bench = await begun(store, FakeClock(T0), stored)
    asked: list[int] = []
    slices = store.observations.slices

    async def counting(scope, monitor_ids, **window):
        asked.append(len(monitor_ids))
        return await slices(scope, monitor_ids, **window)

    monkeypatch.setattr(store.observations, "slices", counting)
    for _ in range(8):
        bench.clock.advance(EVERY_S)
        runs = [_run(bench.clock.now(), 100, id=each.id) for each in stored]
        await bench.judge.settle(lambda fold, runs=runs: fold.add_runs(runs))
    for _ in range(4):
        await bench.tempo.turn()

    assert asked == [MOST_READ, MOST_READ, 1]


async def test_the_engine_hears_runs_and_ends_what_is_no_longer_judged(store: Store):
    off = monitor("m1", policy=replace(POLICY, latency_factor=None))
    await store.monitors.add(SCOPE, off)
    await store.monitors.add(SCOPE, monitor("m2"))
    told = Alert(
        id="alr_1", key="latency/m1", monitor_id="m1", opened_at=T0, updated_at=T0, title="m1: slow"
    )
    await store.observations.commit(Batch(alerts=(told,)))

    async def is_resolved() -> bool:
        alert = await store.alerts.get(SCOPE, "alr_1")
        return alert.state is AlertState.RESOLVED

    async with running(store, Stage()) as workshop:
        await until(is_resolved, "the alert is resolved")
        await until(lambda: workshop.engine.reading()["runs_total"] >= 2, "both ran")
        await until(lambda: "m2" in workshop.engine._tempo._laps, "the tempo heard of it")
        assert "m1" not in workshop.engine._tempo._laps


async def test_many_that_become_slow_at_once_are_all_told(store: Store):
    stored = []
    for n in range(2 * MOST_READ + 1):
        stored.append(await store.monitors.add(SCOPE, _monitor(f"m{n}")))
        await _past(store, days=2, ms=100, id=f"m{n}")
    await store.observations.roll_up(T0)
    bench = await begun(store, FakeClock(T0), stored)

    async def live(ms: float, periods: int) -> None:
        for _ in range(5 * periods):
            bench.clock.advance(EVERY_S)
            runs = [_run(bench.clock.now(), ms, id=each.id) for each in stored]
            await bench.judge.settle(lambda fold: fold.add_runs(runs))  # noqa: B023 - awaited at once
            await bench.tempo.turn()

    await live(100, 3)
    await live(400, 5)
    told = {alert.monitor_id: alert for alert in bench.memory.alerts.values()}
    await live(100, 5)

    assert set(told) == {each.id for each in stored}
    assert bench.memory.alerts == {}
