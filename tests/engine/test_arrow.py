"""The whole arrow over a real store: runs, states, alerts, messages, restarts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.workshop import BROKEN, SCOPE, Stage, Workshop, monitor, opened, running, until
from lifesign.bus import Change, ChangeOf, Topic
from lifesign.channels.registry import Receipt
from lifesign.core.batch import Batch, Ping
from lifesign.core.messages import AlertEvent, AlertState, Channel, Route
from lifesign.core.model import Observation, Policy, State
from lifesign.engine import notifier
from lifesign.store import AlertQuery, Store


async def tell_all(store: Store) -> None:
    await store.channels.add(SCOPE, Channel(id="c1", name="notes", kind="note", settings={}))
    await store.channels.add_route(SCOPE, Route(id="r1", name="everything", channels=("c1",)))


async def state_of(store: Store, id: str = "m1") -> State | None:
    found = await store.monitors.state(SCOPE, id)
    return found.state if found else None


def down() -> Observation:
    return Observation(failure=BROKEN)


async def test_a_death_is_one_alert_and_one_message_and_the_recovery_resolves(
    tmp_path: Path,
) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage):
            await until(lambda: state_is(store, State.UP), "it is up")
            stage.act = lambda _host: down()
            await until(lambda: len(stage.heard) == 1, "somebody is told")
            assert State.DOWN is await state_of(store)
            stage.act = lambda _host: Observation()
            await until(lambda: len(stage.heard) == 2, "the recovery is told")
        alerts = (await store.alerts.list(SCOPE, AlertQuery())).items

    assert [message.event for message in stage.heard] == [AlertEvent.FIRED, AlertEvent.RESOLVED]
    assert [alert.state for alert in alerts] == [AlertState.RESOLVED]
    first = stage.heard[0]
    assert first.title == "[DOWN] m1 is down: tcp / refused"
    assert BROKEN.message in first.text
    assert first.link == "https://life.example/monitors/m1"
    assert "everything" in first.why


async def state_is(store: Store, state: State, id: str = "m1") -> bool:
    return await state_of(store, id) is state


async def test_the_log_says_what_changed_who_was_told_and_no_more(tmp_path: Path) -> None:
    stage = Stage(act=lambda _host: down())
    with capture_logs() as logs:
        async with opened(tmp_path) as store:
            await tell_all(store)
            await store.monitors.add(SCOPE, monitor())
            async with running(store, stage):
                await until(lambda: len(stage.heard) == 1, "somebody is told")
                stage.act = lambda _host: Observation()
                await until(lambda: len(stage.heard) == 2, "the recovery is told")
                await until(lambda: of(logs, "delivery_sent")[1:], "the delivery is noted")

    changes = [(line["before"], line["state"]) for line in of(logs, "monitor_changed")]
    assert changes == [("unknown", "down"), ("down", "up")]
    (fired,) = of(logs, "alert_fired")
    (resolved,) = of(logs, "alert_resolved")
    assert (fired["monitor"], fired["failure"], fired["severity"]) == ("m1", "tcp/refused", "high")
    assert fired["alert"] == resolved["alert"]
    assert [line["told"] for line in of(logs, "delivery_sent")] == ["fired", "resolved"]
    assert {line["log_level"] for line in logs if "monitor" in line or "told" in line} == {"info"}
    assert BROKEN.message not in str(logs)


def of(logs: Sequence[Mapping[str, Any]], event: str) -> list[Mapping[str, Any]]:
    return [line for line in logs if line["event"] == event]


async def test_a_message_that_fails_is_sent_again_with_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "RETRY_SCHEDULE_S", (0.01, 0.01, 0.01))
    monkeypatch.setattr(notifier, "LOOK_EVERY_S", 0.01)
    answers = [Receipt(False, detail="503"), Receipt(False, detail="503"), Receipt(True)]
    stage = Stage(act=lambda _host: down(), receive=lambda _message: answers.pop(0))
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            await until(lambda: workshop.engine.gauges.deliveries_sent == 1, "delivered")
        alert = (await store.alerts.list(SCOPE, AlertQuery())).items[0]
        [log] = await store.alerts.deliveries(SCOPE, alert.id)

    assert len(stage.heard) == 3
    assert len({message.id for message in stage.heard}) == 1
    assert [attempt.delivered for attempt in log.attempts] == [False, False, True]


async def test_a_message_that_is_refused_for_good_is_not_sent_again(tmp_path: Path) -> None:
    stage = Stage(
        act=lambda _host: down(),
        receive=lambda _m: Receipt(False, permanent=True, detail="410 Gone"),
    )
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            await until(lambda: workshop.engine.gauges.deliveries_failed == 1, "given up")

    assert len(stage.heard) == 1


async def test_a_restart_goes_on_with_the_same_alert(tmp_path: Path) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage):
            await until(lambda: len(stage.heard) == 1, "told once")
    async with opened(tmp_path) as store:
        played = len(stage.played)
        async with running(store, stage):
            await until(lambda: len(stage.played) > played + 1, "it is watched again")
            stage.act = lambda _host: Observation()
            await until(lambda: len(stage.heard) == 2, "and resolved")
        alerts = (await store.alerts.list(SCOPE, AlertQuery())).items

    assert len(alerts) == 1
    assert [message.event for message in stage.heard] == [AlertEvent.FIRED, AlertEvent.RESOLVED]


async def change(
    workshop: Workshop, what: ChangeOf = ChangeOf.SAVED, kind: str = "monitor"
) -> None:
    await workshop.bus.publish(Topic.CHANGES, Change(kind, "m1", "default", what))


async def test_a_new_monitor_is_looked_at_at_once(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store, running(store, stage) as workshop:
        await store.monitors.add(SCOPE, monitor(interval_s=3600.0))
        await change(workshop)
        await until(lambda: state_is(store, State.UP), "it is up")


async def test_a_pause_is_a_state_and_resolves_and_a_resume_looks_again(tmp_path: Path) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await tell_all(store)
        added = await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            await until(lambda: len(stage.heard) == 1, "down")
            paused = await store.monitors.replace(
                SCOPE, replace(added, paused=True), expected_version=None
            )
            await change(workshop)
            await until(lambda: len(stage.heard) == 2, "resolved by the pause")
            assert State.PAUSED is await state_of(store)
            stage.act = lambda _host: Observation()
            await store.monitors.replace(
                SCOPE, replace(paused, paused=False), expected_version=None
            )
            await change(workshop)
            await until(lambda: state_is(store, State.UP), "up again")


async def test_a_removed_monitor_is_forgotten(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store, running(store, stage) as workshop:
        await store.monitors.add(SCOPE, monitor())
        await change(workshop)
        await until(lambda: state_is(store, State.UP), "up")
        await store.monitors.remove(SCOPE, "m1")
        await change(workshop, ChangeOf.REMOVED)
        await until(lambda: not workshop.engine._memory.watched, "forgotten")


async def test_a_check_can_be_asked_for(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor(interval_s=3600.0))
        async with running(store, stage) as workshop:
            await until(lambda: state_is(store, State.UP), "up")
            await change(workshop, ChangeOf.RUN)
            await until(lambda: len(stage.played) == 2, "run again")


async def test_followers_hear_of_runs_states_and_alerts(tmp_path: Path) -> None:
    stage = Stage(act=lambda _host: down())
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            with workshop.bus.follow(Topic.EVENTS) as ear:
                kinds = set()
                async with asyncio.timeout(10):
                    async for event in ear:
                        kinds.add(event.type)
                        if {"monitor.run", "monitor.state", "alert.fired"} <= kinds:
                            break


def beat(**settings: object) -> dict[str, object]:
    return {
        "kind": "heartbeat",
        "settings": {
            "uuid": "7f000000-0000-4000-8000-000000000001",
            "period": "PT1H",
            "grace": "PT0S",
        }
        | settings,
        "policy": Policy(confirmations=1, recoveries=1),
    }


async def test_a_ping_is_up_a_reported_failure_is_down(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor(**beat()))
        async with running(store, stage) as workshop:
            for action, state in (
                ("success", State.UP),
                ("fail", State.DOWN),
                ("success", State.UP),
            ):
                ping = Ping(monitor_id="m1", at=datetime.now(UTC), action=action)
                await store.pings.append([ping])
                await workshop.bus.publish(Topic.PINGS, ping)
                await until(lambda state=state: state_is(store, state), f"{action} is {state}")


async def test_silence_is_told_and_our_own_absence_is_not_held_against_the_job(
    tmp_path: Path,
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor(created_at=long_ago, **beat()))
        await store.pings.append([Ping(monitor_id="m1", at=long_ago, action="success")])
        async with running(store, Stage(), away_s=7000.0):
            await until(lambda: state_is(store, State.UP), "its ping still counts")
        async with running(store, Stage()):
            await until(lambda: state_is(store, State.DOWN), "missed")


async def test_one_unusable_row_does_not_stop_the_others(tmp_path: Path) -> None:
    stage = Stage()
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor("bad", kind="gone"))
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage) as workshop:
            await until(lambda: state_is(store, State.UP), "the other one is watched")
            assert any("bad" in part for part in workshop.engine.gauges.problems)


async def test_nothing_committed_is_committed_twice(tmp_path: Path) -> None:
    """A batch that is folded again after a refusal of the store writes each run once."""
    stage = Stage()
    async with opened(tmp_path) as store:
        await store.monitors.add(SCOPE, monitor())
        async with running(store, stage):
            await until(lambda: state_is(store, State.UP), "up")
        runs = (await store.observations.runs(SCOPE, "m1", limit=100)).items
        await store.observations.commit(Batch())

    assert len(runs) == len({run.slot for run in runs})
