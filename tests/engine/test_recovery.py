"""What was stored and not judged when the process died is judged by the next start."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.test_arrow import beat, down, state_is, tell_all
from engine.workshop import SCOPE, Stage, Workshop, monitor, opened, running, until
from lifesign.bus import Change, Topic
from lifesign.clock import FakeClock
from lifesign.core.batch import Ping
from lifesign.core.messages import AlertEvent, AlertState
from lifesign.core.model import State
from lifesign.store import AlertQuery


def ping(action: str, **ago: float) -> Ping:
    return Ping(monitor_id="m1", at=datetime.now(UTC) - timedelta(**ago), action=action)


async def hear(workshop: Workshop, action: str) -> None:
    heard = ping(action)
    await workshop.store.pings.append([heard])
    await workshop.bus.publish(Topic.PINGS, heard)


async def test_a_ping_that_was_stored_and_not_judged_counts_after_a_restart(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor(**beat()))
        await store.pings.append([ping("success", seconds=3)])
        async with running(store, stage) as workshop:
            await until(lambda: state_is(store, State.UP), "the first ping counts")
            await hear(workshop, "fail")
            await until(lambda: len(stage.heard) == 1, "the failure is told")
        await store.pings.append([ping("success")])
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 2, "the recovery is told")

    assert [message.event for message in stage.heard] == [AlertEvent.FIRED, AlertEvent.RESOLVED]


async def test_a_job_that_never_pinged_stays_unknown_over_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor(**beat()))
        await store.monitors.add(SCOPE, monitor("m2", interval_s=3600.0))
        async with running(store, Stage()):
            await until(lambda: state_is(store, State.UP, "m2"), "the other one was judged")
        assert await store.monitors.state(SCOPE, "m1") is None


async def test_a_job_that_was_late_already_is_not_excused_by_our_absence(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await tell_all(store)
        old = datetime.now(UTC) - timedelta(hours=3)
        await store.monitors.add(SCOPE, monitor(created_at=old, **beat()))
        await store.monitors.add(SCOPE, monitor("m2", interval_s=3600.0))
        await store.pings.append([ping("success", hours=3)])
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "missed")
        async with running(store, stage, away_s=5400.0) as workshop:
            await until(lambda: workshop.engine.gauges.runs >= 1, "the others are watched")
            await asyncio.sleep(0)
        assert await state_is(store, State.DOWN)

    assert [message.event for message in stage.heard] == [AlertEvent.FIRED]


async def test_a_pause_and_a_resume_that_nobody_could_take_up_are_taken_up_at_the_start(
    tmp_path: Path,
) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        added = await store.monitors.add(SCOPE, monitor(interval_s=3600.0))
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "down")
        paused = replace(added, paused=True)
        await store.monitors.replace(SCOPE, paused, expected_version=None)
        async with running(store, stage):
            await until(lambda: state_is(store, State.PAUSED), "it rests")
            await until(lambda: len(stage.heard) == 2, "resolved by the pause")


async def test_a_resumed_job_is_what_its_last_ping_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        added = await store.monitors.add(SCOPE, monitor(**beat()))
        async with running(store, Stage()) as workshop:
            await hear(workshop, "success")
            await until(lambda: state_is(store, State.UP), "up")
            for paused, state in ((True, State.PAUSED), (False, State.UP)):
                changed = replace(added, paused=paused)
                await store.monitors.replace(SCOPE, changed, expected_version=None)
                await workshop.bus.publish(Topic.CHANGES, Change("monitor", "m1", "default"))
                await until(lambda state=state: state_is(store, state), f"it is {state}")


class SetClock(FakeClock):
    """A clock whose wall can be set apart from its monotonic time."""

    def set_wall(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


async def turns(workshop: Workshop, count: int = 3) -> None:
    """Let the scheduler come round several times."""
    scheduler = workshop.engine._scheduler
    for _ in range(count):
        scheduler._wake.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def pass_by(workshop: Workshop, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1.0)
        await turns(workshop)


@pytest.mark.parametrize("jump_s", [7200.0, -86_400.0])
async def test_a_clock_that_is_set_makes_no_job_late_and_deafens_none(
    tmp_path: Path, jump_s: float
) -> None:
    clock = SetClock(datetime.now(UTC))
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor(**beat(period="PT1M")))
        async with running(store, Stage(), clock=clock) as workshop:
            await workshop.bus.publish(
                Topic.PINGS, Ping(monitor_id="m1", at=clock.now(), action="success")
            )
            await until(lambda: state_is(store, State.UP), "up")
            clock.set_wall(jump_s)
            await turns(workshop)
            assert workshop.engine.gauges.clock_jumps == 1
            assert await state_is(store, State.UP)
            await pass_by(workshop, clock, 58)
            assert await state_is(store, State.UP)
            await pass_by(workshop, clock, 4)
            await until(lambda: state_is(store, State.DOWN), "missed a minute after its ping")
            await workshop.bus.publish(
                Topic.PINGS, Ping(monitor_id="m1", at=clock.now(), action="success")
            )
            await until(lambda: state_is(store, State.UP), "its pings are heard")


async def test_a_process_that_stood_still_holds_it_against_no_job(tmp_path: Path) -> None:
    clock = FakeClock(datetime.now(UTC))
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor(**beat(period="PT10S")))
        async with running(store, Stage(), clock=clock) as workshop:
            await workshop.bus.publish(
                Topic.PINGS, Ping(monitor_id="m1", at=clock.now(), action="success")
            )
            await until(lambda: state_is(store, State.UP), "up")
            clock.advance(30.0)
            await turns(workshop)
            assert workshop.engine.gauges.stalls == 1
            assert await state_is(store, State.UP)
            await pass_by(workshop, clock, 11)
            await until(lambda: state_is(store, State.DOWN), "its deadline moved by our absence")


async def test_a_monitor_that_was_mended_is_no_problem_any_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        added = await store.monitors.add(SCOPE, monitor(conditions=("status is fine",)))
        async with running(store, Stage()) as workshop:
            assert workshop.engine.problems()
            mended = replace(added, conditions=())
            await store.monitors.replace(SCOPE, mended, expected_version=None)
            await workshop.bus.publish(Topic.CHANGES, Change("monitor", "m1", "default"))
            await until(lambda: state_is(store, State.UP), "it is watched")
            assert not workshop.engine.problems()


async def test_an_acknowledgement_that_comes_late_changes_no_newer_alert(tmp_path: Path) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            await until(lambda: len(stage.heard) == 1, "it fires")
            [alert] = workshop.engine._memory.alerts.values()
            await store.alerts.acknowledge(SCOPE, alert.id, "ada", datetime.now(UTC))
            newer = replace(alert, id="alr_newer")
            workshop.engine._memory.alerts[alert.key] = newer
            await workshop.engine._roster._alert_changed(Change("alert", alert.id, "default"))

            assert workshop.engine._memory.alerts[alert.key] is newer
            workshop.engine._memory.alerts[alert.key] = worse = replace(alert, title="Worse")
            await workshop.engine._roster._alert_changed(Change("alert", alert.id, "default"))

            known = workshop.engine._memory.alerts[alert.key]
            assert (known.title, known.acknowledged_by) == (worse.title, "ada")


async def test_a_crowd_that_was_never_seen_comes_in_spread(tmp_path: Path) -> None:
    """Two thousand new monitors are not all started in the first moment, and all are seen within their interval."""
    stage = Stage()
    async with opened(tmp_path) as store:
        await store.monitors.add_all(
            SCOPE, [monitor(f"m{n}", slug="", interval_s=2.0) for n in range(2000)]
        )
        async with running(store, stage) as workshop:
            await until(lambda: workshop.engine.gauges.runs >= 10, "it has begun")
            first = workshop.engine.gauges.runs
            await until(
                lambda: len(set(workshop.engine._memory.states)) == 2000, "everybody was seen"
            )

    assert first < 1000


async def test_what_newer_code_refuses_is_unknown_until_it_is_mended_and_keeps_its_alert(
    tmp_path: Path,
) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        added = await store.monitors.add(SCOPE, monitor())
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "it fires")
        refused = replace(added, settings={"host": ["s3cret-looking"]})
        await store.monitors.replace(SCOPE, refused, expected_version=None)
        for _start in range(2):
            async with running(store, stage):
                await until(lambda: state_is(store, State.UNKNOWN), "it is unknown")
        told = await store.monitors.state(SCOPE, "m1")
        [alert] = (await store.alerts.list(SCOPE, AlertQuery())).items
        assert told is not None
        assert told.failure is not None
        assert (told.failure.layer, told.failure.code) == ("internal", "unusable")
        assert "settings.host" in told.failure.message
        assert told.failure.remedy
        assert "s3cret" not in told.failure.message
        assert alert.state is AlertState.FIRING

        async with running(store, stage) as workshop:
            await store.monitors.replace(SCOPE, added, expected_version=None)
            await workshop.bus.publish(Topic.CHANGES, Change("monitor", "m1", "default"))
            await until(lambda: state_is(store, State.DOWN), "it is watched again")
            stage.act = Stage().act
            await until(lambda: len(stage.heard) == 2, "it resolves")

    assert [message.event for message in stage.heard] == [AlertEvent.FIRED, AlertEvent.RESOLVED]


async def test_what_a_restart_mended_is_unusable_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        added = await store.monitors.add(SCOPE, monitor(conditions=("status is fine",)))
        async with running(store, Stage()):
            await until(lambda: state_is(store, State.UNKNOWN), "it is unknown")
        await store.monitors.replace(SCOPE, replace(added, conditions=()), expected_version=None)
        stage = Stage()
        stage.gate = asyncio.Event()
        async with running(store, stage):

            async def is_clean() -> bool:
                found = await store.monitors.state(SCOPE, "m1")
                return found is not None and found.failure is None

            await until(is_clean, "the old reason is gone before its first run")
            stage.gate.set()
            await until(lambda: state_is(store, State.UP), "it is watched")


async def test_a_job_that_pinged_while_it_was_unusable_is_up_when_it_is_mended(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        old = datetime.now(UTC) - timedelta(hours=3)
        added = await store.monitors.add(SCOPE, monitor(created_at=old, **beat()))
        bad = replace(added, conditions=("status is fine",))
        await store.monitors.replace(SCOPE, bad, expected_version=None)
        async with running(store, Stage()) as workshop:
            await until(lambda: state_is(store, State.UNKNOWN), "it is unknown")
            await hear(workshop, "success")
            await store.monitors.replace(SCOPE, added, expected_version=None)
            await workshop.bus.publish(Topic.CHANGES, Change("monitor", "m1", "default"))
            await until(lambda: state_is(store, State.UP), "its ping counts")
