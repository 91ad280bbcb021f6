"""The heap on a clock that the test turns."""

from datetime import UTC, datetime

from engine.workshop import Stage, monitor
from lifesign.clock import FakeClock
from lifesign.engine.gauges import Gauges
from lifesign.engine.scheduler import Scheduler
from lifesign.engine.watch import Compiler, Watched


def make(count: int = 1, interval_s: float = 60.0) -> tuple[FakeClock, Scheduler, list[Watched]]:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    compiler = Compiler(Stage().kinds())
    watched = [compiler.ready(monitor(f"m{n}", interval_s=interval_s)) for n in range(count)]
    return clock, Scheduler(clock, Gauges(started_at=clock.now())), watched


def test_every_monitor_is_due_once_an_interval() -> None:
    clock, scheduler, watched = make(50)
    for each in watched:
        scheduler.plan_next(each)
    seen: dict[str, int] = {}
    for _ in range(600):
        clock.advance(1.0)
        for job in scheduler.take_due(scheduler.now_s()):
            seen[job.watched.monitor.id] = seen.get(job.watched.monitor.id, 0) + 1

    assert {10} == set(seen.values())
    assert len(seen) == 50


def test_due_times_are_spread() -> None:
    clock, scheduler, watched = make(600)
    for each in watched:
        scheduler.plan_next(each)
    counts = []
    for _ in range(60):
        clock.advance(1.0)
        counts.append(len(scheduler.take_due(scheduler.now_s())))

    assert sum(counts) == 600
    assert max(counts) < 30


def test_a_new_plan_replaces_the_old_one() -> None:
    clock, scheduler, [watched] = make()
    scheduler.plan_next(watched)
    scheduler.plan(watched, scheduler.now_s())

    assert len(scheduler.take_due(scheduler.now_s())) == 1
    clock.advance(61)
    assert len(scheduler.take_due(scheduler.now_s())) == 1


def test_a_forgotten_monitor_is_never_due() -> None:
    clock, scheduler, [watched] = make()
    scheduler.plan_next(watched)
    scheduler.forget(watched)
    clock.advance(3600)

    assert scheduler.take_due(scheduler.now_s()) == []


def test_being_away_runs_each_monitor_once_and_not_once_a_missed_slot() -> None:
    clock, scheduler, watched = make(5)
    for each in watched:
        scheduler.plan_next(each)
    clock.advance(3600)

    assert len(scheduler.take_due(scheduler.now_s())) == 5
    assert scheduler.take_due(scheduler.now_s()) == []


def test_hastening_never_delays_the_next_slot() -> None:
    clock, scheduler, [watched] = make(interval_s=5.0)
    scheduler.hasten(watched, 600.0)
    clock.advance(5.0)

    assert len(scheduler.take_due(scheduler.now_s())) == 1


class JumpingClock(FakeClock):
    """Its wall clock can be set without time passing."""

    def jump(self, seconds: float) -> None:
        before = self._monotonic
        self.advance(seconds)
        self._monotonic = before


def test_a_jump_of_the_wall_clock_makes_no_burst_and_loses_nobody() -> None:
    clock = JumpingClock()
    compiler = Compiler(Stage().kinds())
    watched = [compiler.ready(monitor(f"m{n}", interval_s=60.0)) for n in range(120)]
    gauges = Gauges(started_at=clock.now())
    scheduler = Scheduler(clock, gauges)
    for each in watched:
        scheduler.plan_next(each)
    for shift in (7200.0, -86_400.0):
        clock.jump(shift)
        assert scheduler.follow_wall_clock(watched)
        assert scheduler.take_due(scheduler.now_s()) == []
        ran = set()
        most = 0
        for _ in range(60):
            clock.advance(1.0)
            due = scheduler.take_due(scheduler.now_s())
            most = max(most, len(due))
            ran |= {job.watched.monitor.id for job in due}
        assert len(ran) == 120
        assert most < 12

    assert gauges.clock_jumps == 2


def test_a_slow_drift_is_followed_in_silence() -> None:
    clock = JumpingClock()
    gauges = Gauges(started_at=clock.now())
    scheduler = Scheduler(clock, gauges)
    clock.jump(0.5)

    assert not scheduler.follow_wall_clock([])
    assert abs(scheduler.now_s() - clock.now().timestamp()) < 1e-6


def test_plans_that_were_replaced_take_no_room() -> None:
    """A job that pings every second and is due once a day is planned anew with every ping."""
    clock, scheduler, watched = make(10)
    for _ in range(5_000):
        clock.advance(0.1)
        for each in watched:
            scheduler.plan(each, scheduler.now_s() + 86_400.0)

    assert len(scheduler._heap) < 5_000
    clock.advance(86_401.0)
    assert len(scheduler.take_due(scheduler.now_s())) == 10
