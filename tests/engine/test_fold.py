"""One batch of the judge, over a real store: many runs of one monitor, old runs, quick turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from engine.test_arrow import tell_all
from engine.workshop import BROKEN, SCOPE, Stage, Workshop, monitor, opened, running, until
from lifesign.bus import Change, Topic
from lifesign.clock import SystemClock
from lifesign.core.messages import AlertEvent, AlertState
from lifesign.core.model import Monitor, Observation, Outcome, Policy, Run, State
from lifesign.store import AlertQuery, Store

QUICK = Policy(confirmations=1, recoveries=1, flap_changes=0)


def run_of(monitor: Monitor, *, up: bool, after_s: float = 0.0) -> Run:
    at = SystemClock().now() + timedelta(seconds=after_s)
    failure = None if up else BROKEN
    return Run(
        monitor_id=monitor.id,
        slot=at,
        observation=Observation(failure=failure),
        outcome=Outcome(State.UP if up else State.DOWN, failure),
        started_at=at,
        duration_ms=1.0,
        monitor_version=monitor.version,
    )


@asynccontextmanager
async def at_rest(
    store: Store, stage: Stage, **changes: object
) -> AsyncIterator[tuple[Workshop, Monitor]]:
    """An engine with one monitor that has had its first run and has no other for an hour."""
    added = await store.monitors.add(SCOPE, monitor(interval_s=3600.0, policy=QUICK, **changes))
    async with running(store, stage) as workshop:
        await until(lambda: workshop.engine._memory.states, "its first run is judged")
        yield workshop, added


async def judged(workshop: Workshop, *runs: Run) -> None:
    """Have runs judged in one batch: they are put in line before the judge can come round."""
    commits = workshop.engine.gauges.commits
    for run in runs:
        await workshop.bus.publish(Topic.RUNS, run)
    await until(lambda: workshop.engine.gauges.commits > commits, "they are judged")


async def test_an_alert_that_resolves_and_fires_again_in_one_batch_is_two_alerts(
    tmp_path: Path,
) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await tell_all(store)
        async with at_rest(store, stage) as (workshop, watched):
            await judged(workshop, run_of(watched, up=False))
            turns = [run_of(watched, up=up, after_s=n) for n, up in enumerate((True, False), 1)]
            await judged(workshop, *turns)
            await until(lambda: len(stage.heard) == 3, "everything is told")
        alerts = (await store.alerts.list(SCOPE, AlertQuery())).items

    assert sorted(alert.state for alert in alerts) == [AlertState.FIRING, AlertState.RESOLVED]
    assert sorted(m.event for m in stage.heard) == [
        AlertEvent.FIRED,
        AlertEvent.FIRED,
        AlertEvent.RESOLVED,
    ]


async def test_a_run_of_an_older_version_is_not_held_against_the_new_one(tmp_path: Path) -> None:
    stage = Stage()
    async with (
        opened(tmp_path) as store,
        at_rest(store, stage) as (workshop, old),
    ):
        new = await store.monitors.replace(SCOPE, replace(old, name="moved"), expected_version=None)
        await workshop.bus.publish(Topic.CHANGES, Change("monitor", old.id, old.tenant))
        known = workshop.engine._memory.watched
        await until(lambda: known[old.id].monitor.version == new.version, "it is taken up")
        await until(lambda: len(stage.played) == 2, "the new version was looked at")
        await judged(workshop, run_of(old, up=False, after_s=1), run_of(new, up=True, after_s=2))
        found = await store.monitors.state(SCOPE, old.id)
        alerts = (await store.alerts.list(SCOPE, AlertQuery())).items

    assert found is not None
    assert found.state is State.UP
    assert alerts == ()


async def test_a_failure_that_passed_within_the_batch_is_not_looked_at_again(
    tmp_path: Path,
) -> None:
    stage = Stage()
    patient = Policy(confirmations=3, recoveries=1, recheck_s=0.01)
    async with opened(tmp_path) as store, at_rest(store, stage) as (workshop, watched):
        memory = workshop.engine._memory
        memory.watched[watched.id].monitor = replace(watched, policy=patient)
        runs = [run_of(watched, up=up, after_s=n) for n, up in enumerate((False, True))]
        ticket = memory.watched[watched.id].ticket
        await judged(workshop, *runs)
        await asyncio.sleep(0)

        assert memory.watched[watched.id].ticket == ticket
