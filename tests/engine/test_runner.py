"""Limits and fairness of the runner."""

import asyncio
import os
from contextlib import asynccontextmanager

from engine.workshop import BROKEN, Stage, monitor, until
from lifesign.bus import LocalBus, Topic
from lifesign.clock import Clock, SystemClock
from lifesign.core.model import Failure, Observation, Reason, Run, State
from lifesign.engine.gauges import Gauges
from lifesign.engine.places import Limits
from lifesign.engine.runner import Runner
from lifesign.engine.scheduler import Job
from lifesign.engine.watch import Compiler
from lifesign.net import Net
from lifesign.probes.registry import ProbeContext


class SleptClock(SystemClock):
    """Its monotonic time goes on while the process stands still."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@asynccontextmanager
async def runner_of(
    stage: Stage,
    limits: Limits,
    clock: Clock | None = None,
    *,
    room: int = 1000,
    may_spawn: bool = False,
):
    bus, gauges = LocalBus(room=room), Gauges(started_at=SystemClock().now())
    compiler = Compiler(stage.kinds())
    async with asyncio.TaskGroup() as tasks:
        runner = Runner(
            net=Net.open(), bus=bus, clock=clock or SystemClock(), gauges=gauges, limits=limits,
            tasks=tasks, may_spawn=may_spawn,
        )  # fmt: skip

        def submit(id: str, **changes: object) -> None:
            now = SystemClock().now().timestamp()
            runner.submit(Job(compiler.ready(monitor(id, **changes)), now))

        yield runner, submit, bus, gauges


async def test_a_run_carries_what_was_seen_and_judged() -> None:
    stage = Stage(act=lambda _host: Observation(failure=BROKEN))
    async with runner_of(stage, Limits()) as (_, submit, bus, _):
        submit("m1")
        [run] = await bus.take(Topic.RUNS, 10)

    assert isinstance(run, Run)
    assert (run.outcome.state, run.outcome.failure, run.monitor_id) == (State.DOWN, BROKEN, "m1")


async def test_the_whole_the_tenant_and_the_host_are_bounded() -> None:
    for limits, count in (
        (Limits(total=3), 3),
        (Limits(per_tenant=2), 2),
        (Limits(per_host=4), 4),
    ):
        stage = Stage(gate=asyncio.Event())
        async with runner_of(stage, limits) as (_, submit, _bus, _):
            for number in range(20):
                submit(f"m{number}")
            await until(
                lambda stage=stage, count=count: stage.on_stage == count, "the limit is reached"
            )
            stage.gate.set()
            await until(lambda stage=stage: len(stage.played) == 20, "everybody had a turn")
        assert count == stage.most_on_stage


async def test_a_busy_tenant_does_not_keep_others_waiting() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits(total=2)) as (_, submit, _bus, _):
        for number in range(50):
            submit(f"big{number}", host=f"big{number}", tenant="big")
        submit("small", host="small", tenant="small")
        stage.gate.set()
        await until(lambda: len(stage.played) == 51, "everybody had a turn")

    assert stage.played.index("small") < 6


async def test_a_full_host_takes_no_room_from_others() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits(total=10, per_host=1)) as (_, submit, _bus, _):
        for number in range(30):
            submit(f"slow{number}", host="slow")
        submit("other", host="other")
        await until(lambda: "other" in stage.played, "the other host was not held up")
        stage.gate.set()


async def test_a_lane_is_bounded_and_takes_no_place_of_others() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits(total=1, per_lane=2)) as (_, submit, _bus, gauges):
        for number in range(10):
            submit(f"heavy{number}", kind="heavy", host=f"heavy{number}")
        submit("light", host="light")
        await until(lambda: "light" in stage.played, "the others are not held up")
        assert (stage.on_stage, gauges.running, gauges.waiting) == (3, 3, 8)
        stage.gate.set()
        await until(lambda: len(stage.played) == 11, "everybody had a turn")
        await until(lambda: gauges.running == 0, "all places are free")

    assert (stage.most_on_stage, gauges.waiting) == (3, 0)


async def test_a_full_house_does_not_hold_up_a_lane() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits(total=1, per_lane=1)) as (_, submit, _bus, _gauges):
        for number in range(5):
            submit(f"m{number}")
        submit("heavy", kind="heavy", host="heavy")
        await until(lambda: "heavy" in stage.played, "the lane is free")
        stage.gate.set()


async def test_a_lane_is_as_wide_as_the_machine_unless_told() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits()) as (_, submit, _bus, _gauges):
        for number in range(3 * (os.cpu_count() or 1)):
            submit(f"heavy{number}", kind="heavy", host=f"heavy{number}")
        await until(lambda: stage.on_stage == (os.cpu_count() or 1), "the lane is full")
        stage.gate.set()

    assert stage.most_on_stage == (os.cpu_count() or 1)


async def test_only_an_operator_lets_probes_start_programs() -> None:
    seen: list[bool] = []

    async def ask(_settings: object, ctx: ProbeContext) -> Observation:
        seen.append(ctx.may_spawn)
        return Observation()

    for may_spawn in (False, True):
        stage = Stage()
        stage.probe = ask  # type: ignore[method-assign]
        async with runner_of(stage, Limits(), may_spawn=may_spawn) as (_, submit, _bus, _gauges):
            submit("m1")

    assert seen == [False, True]


async def test_a_monitor_that_is_still_busy_skips_its_slot() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits()) as (runner, _, _bus, gauges):
        watched = Compiler(stage.kinds()).ready(monitor())
        for _ in range(3):
            runner.submit(Job(watched, SystemClock().now().timestamp()))
        await until(lambda: stage.on_stage == 1, "it runs once")
        stage.gate.set()

    assert (len(stage.played), gauges.skipped) == (1, 2)


async def test_a_bug_in_a_kind_is_unknown_and_stops_nobody() -> None:
    def act(host: str) -> Observation:
        if host == "bad":
            raise ZeroDivisionError
        return Observation()

    async with runner_of(Stage(act=act), Limits()) as (_, submit, bus, _):
        submit("bad", host="bad")
        submit("good", host="good")
        seen = {}
        while len(seen) < 2:
            seen |= {run.monitor_id: run.outcome.state for run in await bus.take(Topic.RUNS, 10)}

    assert seen == {"bad": State.UNKNOWN, "good": State.UP}


async def test_stopping_lets_what_runs_finish_and_cancels_what_does_not() -> None:
    stage = Stage(gate=asyncio.Event())
    async with runner_of(stage, Limits(total=1)) as (runner, submit, _bus, _):
        submit("m1")
        submit("m2", host="other")
        await until(lambda: stage.on_stage == 1, "one runs")
        runner.stop()
        await runner.drain(0.01)

    assert len(stage.played) == 1


async def test_what_nobody_takes_is_not_probed_again() -> None:
    """While the judge cannot write, runs wait with their places; they do not pile up beside the bus."""
    stage = Stage()
    async with runner_of(stage, Limits(total=5), room=2) as (_, submit, bus, gauges):
        for number in range(50):
            submit(f"m{number}", host=f"h{number}")
        await until(lambda: gauges.running == 5 and len(stage.played) == 7, "all places wait")
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(stage.played) == 7
        bus.close()


async def test_facts_that_cannot_be_judged_are_unknown_and_stop_nobody() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError

        __hash__ = None  # type: ignore[assignment]

    stage = Stage(act=lambda _host: Observation(facts={"oddity": Odd()}))
    async with runner_of(stage, Limits()) as (_, submit, bus, _):
        submit("m1", conditions=("oddity == 1",))
        [run] = await bus.take(Topic.RUNS, 10)

    assert (run.outcome.state, run.outcome.failure.layer) == (State.UNKNOWN, "internal")


async def test_a_time_out_while_we_stood_still_is_not_held_against_the_target() -> None:
    late = Failure("tcp", "timeout", "No answer.", reason=Reason.TIMEOUT)

    def act(_host: str) -> Observation:
        clock.ahead_s += 30.0
        return Observation(failure=late)

    clock = SleptClock()
    async with runner_of(Stage(act=act), Limits(), clock) as (_, submit, bus, _):
        submit("m1")
        [run] = await bus.take(Topic.RUNS, 10)

    assert (run.outcome.state, run.outcome.failure.code) == (State.UNKNOWN, "stood_still")
