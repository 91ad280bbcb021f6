"""Published surfaces through the whole engine: begun, followed, told, accepted, remembered."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from engine.publishing import (
    ONE,
    PATIENT,
    THREE,
    TWO,
    Publisher,
    decided,
    drift,
    feed,
    later,
    published,
    publishing,
    run_of,
    timeline,
)
from engine.workshop import SCOPE, Stage, monitor, opened, until
from lifesign.bus import Change, Topic
from lifesign.core.batch import Batch
from lifesign.core.drift import follow
from lifesign.core.drift.values import Impact, Release
from lifesign.core.messages import AlertEvent, AlertState
from lifesign.core.model import Severity, State
from lifesign.engine.fold import Fold
from lifesign.engine.surfaces import Papers
from lifesign.engine.watch import Compiler, Memory
from lifesign.store import AlertQuery, Store

EAGER = replace(PATIENT, recheck_s=0.01)
STUBBORN = replace(PATIENT, drift_accept_s=None)


async def alerts(store: Store) -> list[tuple[str, AlertState]]:
    found = (await store.alerts.list(SCOPE, AlertQuery())).items
    return [(alert.key, alert.state) for alert in found]


async def test_a_removed_tool_is_told_within_two_looks(tmp_path: Path) -> None:
    stage = Publisher(script=[TWO, ONE])
    async with opened(tmp_path) as store, publishing(store, stage, policy=EAGER) as workshop:
        memory = workshop.engine._memory
        scheduler = workshop.engine._scheduler
        scheduler.plan(memory.watched["m1"], scheduler.now_s())
        await until(lambda: stage.heard, "somebody is told")
        looks = len(stage.played)
        seen, (line,) = await drift(store), await timeline(store)
        events = [each for each in await store.events.recent(SCOPE) if each.type == "monitor.drift"]
        state = await store.monitors.state(SCOPE, "m1")

    assert looks == 3
    assert stage.heard[0].title.startswith("[DRIFT] m1: published surface changed")
    assert "fetch" in stage.heard[0].text
    assert stage.heard[0].event is AlertEvent.FIRED
    assert stage.heard[0].alert.severity is Severity.HIGH
    assert (seen.baseline, seen.current) == (TWO.digest, ONE.digest)
    assert (line.before, line.after, line.impact) == (TWO.digest, ONE.digest, Impact.BREAKING)
    assert line.accepted_by == ""
    assert [each.code for each in line.changes] == ["tool_removed"]
    assert events[0].data["impact"] == "breaking"
    assert events[0].data["counts"]["breaking"] == 1
    assert "fetch" in events[0].data["messages"][0]
    assert state is not None
    assert state.state is State.UP


async def test_a_look_that_is_not_confirmed_is_no_drift(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, ONE, TWO)

        assert (await drift(store)).current == TWO.digest
        assert await timeline(store) == ()
        assert await alerts(store) == []


async def test_going_back_to_the_baseline_ends_the_alert_and_says_so(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, ONE, ONE, TWO, TWO)
        await until(lambda: len(stage.heard) == 2, "the end is told")
        lines = await timeline(store)

        assert [message.event for message in stage.heard] == [
            AlertEvent.FIRED,
            AlertEvent.RESOLVED,
        ]
        assert [line.accepted_by for line in lines] == ["reverted", "reverted"]
        assert not (await drift(store)).is_drifted


async def test_a_list_that_swings_is_unstable_and_never_moves_the_baseline(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, *(ONE, TWO) * 4)
        seen = await drift(store)
        await until(lambda: stage.heard, "somebody is told")
        types = {event.type for event in await store.events.recent(SCOPE)}

        assert seen.unstable
        assert (seen.baseline, seen.current) == (TWO.digest, TWO.digest)
        assert await timeline(store) == ()
        assert "unstable" in stage.heard[0].title
        assert "monitor.surface_unstable" in types

        await feed(workshop, *[TWO] * follow.WINDOW)
        await until(lambda: len(stage.heard) == 2, "the end is told")
        assert not (await drift(store)).unstable
        assert await alerts(store) == [("drift/m1", AlertState.RESOLVED)]


async def test_a_release_accepts_in_silence(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage, policy=STUBBORN) as workshop:
        release = Release(
            id="rel_1",
            monitor_id="m1",
            starts_at=later(hours=-1),
            ends_at=later(hours=1),
            note="4.1",
        )
        await store.surfaces.announce(SCOPE, [release])
        await decided(workshop)
        await feed(workshop, ONE, ONE)
        (line,) = await timeline(store)

        assert line.accepted_by == "release 4.1"
        assert (await drift(store)).baseline == ONE.digest
        assert await alerts(store) == []


async def test_a_release_that_is_announced_late_still_accepts_the_surface_it_names(
    tmp_path: Path,
) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage, policy=STUBBORN) as workshop:
        await feed(workshop, ONE, ONE)
        release = Release(
            id="rel_1",
            monitor_id="m1",
            starts_at=later(seconds=-0.001),
            ends_at=later(hours=1),
            digest=ONE.digest,
        )
        await store.surfaces.announce(SCOPE, [release])
        await workshop.bus.publish(Topic.CHANGES, Change("surface", "m1", "default"))
        await until(lambda: len(stage.heard) == 2, "the end is told")
        (line,) = await timeline(store)

        assert line.accepted_by == "release rel_1"
        assert (await drift(store)).baseline == ONE.digest


async def test_time_accepts_what_stays(tmp_path: Path) -> None:
    stage = Publisher()
    at_once = replace(PATIENT, drift_accept_s=0.0)
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, ONE, ONE)
        assert [state for _, state in await alerts(store)] == [AlertState.FIRING]
        watched = workshop.engine._memory.watched["m1"]
        watched.monitor = replace(watched.monitor, policy=at_once)
        await feed(workshop, ONE)
        (line,) = await timeline(store)
        types = [event.type for event in await store.events.recent(SCOPE)]

        assert (line.accepted_by, line.accepted_at is not None) == ("auto", True)
        assert (await drift(store)).baseline == ONE.digest
        assert [state for _, state in await alerts(store)] == [AlertState.RESOLVED]
        assert "monitor.drift_accepted" in types


async def test_a_pinned_baseline_survives_time_and_a_restart(tmp_path: Path) -> None:
    stage, at_once = Publisher(), replace(PATIENT, drift_accept_s=0.0)
    async with opened(tmp_path) as store:
        async with publishing(store, stage, policy=at_once):
            before = await drift(store)
            pinned = replace(before, pinned=True)
            await store.surfaces.rebase(SCOPE, [(before, pinned)], at=later(), by="ada")
        # The engine never heard of it, and is told nothing now: the store says it.
        async with publishing(store, stage) as workshop:
            await feed(workshop, ONE, ONE, ONE)
            seen = await drift(store)

            assert seen.pinned
            assert (seen.baseline, seen.current) == (TWO.digest, ONE.digest)
            assert [state for _, state in await alerts(store)] == [AlertState.FIRING]


async def test_an_acceptance_by_a_person_ends_the_alert(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, ONE, ONE)
        before = await drift(store)
        wanted = follow.accept(before, ONE.digest, at=later(), pinned=True)
        await store.surfaces.rebase(SCOPE, [(before, wanted)], at=later(), by="ada")
        await decided(workshop)

        assert [state for _, state in await alerts(store)] == [AlertState.RESOLVED]
        await feed(workshop, *[published("fetch")] * 2)
        assert [state for _, state in await alerts(store)] == [
            AlertState.FIRING,
            AlertState.RESOLVED,
        ]


async def test_an_acceptance_that_nobody_could_take_up_is_taken_up_at_the_start(
    tmp_path: Path,
) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store:
        async with publishing(store, stage) as workshop:
            await feed(workshop, ONE, ONE)
        before = await drift(store)
        wanted = follow.accept(before, ONE.digest, at=later(), pinned=False)
        await store.surfaces.rebase(SCOPE, [(before, wanted)], at=later(), by="ada")
        stage.script = [ONE]
        async with publishing(store, stage):
            await until(lambda: len(stage.heard) == 2, "the end is told")

        assert [state for _, state in await alerts(store)] == [AlertState.RESOLVED]


async def test_a_steady_fleet_writes_nothing_of_surfaces(tmp_path: Path) -> None:
    stage, written = Publisher(), list[Batch]()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        commit = store.observations.commit

        async def noting(batch: Batch) -> object:
            written.append(batch)
            return await commit(batch)

        store.observations.commit = noting  # type: ignore[method-assign,assignment]
        await feed(workshop, *[TWO] * 5)

    assert len(written) == 5
    assert all(
        not (each.drifts or each.snapshots or each.surface_changes or each.events)
        for each in written
    )


async def test_each_audience_has_a_baseline_of_its_own(tmp_path: Path) -> None:
    stage, theirs = Publisher(), published("search", "admin", audience="cred")
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, theirs, theirs, TWO)
        found = {each.audience: each for each in await store.surfaces.drifts(SCOPE, "m1")}

        assert {name: each.baseline for name, each in found.items()} == {
            "": TWO.digest,
            "cred": theirs.digest,
        }
        assert await alerts(store) == []


async def test_drift_that_another_credential_left_behind_is_settled(tmp_path: Path) -> None:
    stage, theirs = Publisher(), published("search", "admin", audience="cred")
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, ONE, ONE, theirs)

        assert [line.accepted_by for line in await timeline(store)] == ["superseded"]
        assert [state for _, state in await alerts(store)] == [AlertState.RESOLVED]


async def test_drift_whose_documents_were_not_at_hand_is_told_all_the_same(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, THREE, THREE)
        (watched,) = await store.monitors.all_active()
        # The documents are read for a baseline that a person moves before the look is judged.
        run = run_of(watched, replace(TWO, document=None))
        await workshop.engine._judge.settle(lambda fold: fold.add_runs([run]))
        before = await drift(store)
        wanted = follow.accept(before, THREE.digest, at=later(), pinned=False)
        await store.surfaces.rebase(SCOPE, [(before, wanted)], at=later(), by="ada")
        await decided(workshop)
        papers = Papers({TWO.digest: TWO.document or b""})
        await workshop.engine._judge.settle(lambda fold: fold.add_runs([run]), papers)
        await until(lambda: stage.heard, "somebody is told")

        assert "fetch" in stage.heard[0].text or "delete" in stage.heard[0].text


async def test_a_document_that_nobody_has_is_asked_for_again(tmp_path: Path) -> None:
    stage = Publisher()
    bare = replace(ONE, document=None)
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        memory = workshop.engine._memory.watched["m1"].memory
        assert memory
        await feed(workshop, bare, bare, bare)

        assert memory == {}
        assert await timeline(store) == ()
        await feed(workshop, ONE)
        assert [line.after for line in await timeline(store)] == [ONE.digest]


async def test_what_was_seen_before_needs_no_document(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store:
        async with publishing(store, stage) as workshop:
            await feed(workshop, THREE, THREE)
        stage.script = [THREE]
        async with publishing(store, stage) as workshop:
            bare = replace(TWO, document=None)
            await feed(workshop, bare, bare)
            lines = await timeline(store)

    assert [line.impact for line in lines] == [Impact.ADDITIVE, Impact.BREAKING]


async def test_a_removed_monitor_is_forgotten(tmp_path: Path) -> None:
    stage = Publisher()
    async with opened(tmp_path) as store, publishing(store, stage) as workshop:
        await feed(workshop, ONE, ONE)
        await store.monitors.remove(SCOPE, "m1")
        workshop.engine._roster._forget("m1")

        assert workshop.engine._memory.surfaces.rows == {}
        assert workshop.engine._memory.surfaces.candidates == {}
        assert workshop.engine._memory.alerts == {}


def a_memory() -> Memory:
    watched = Compiler(Stage().kinds()).ready(monitor(policy=PATIENT))
    return Memory(watched={"m1": watched})


def test_regions_that_go_on_disagreeing_are_told_of() -> None:
    memory, numbers = a_memory(), iter(range(99))
    watched, start = memory.watched["m1"].monitor, later()
    keys = []
    for hours in (0.0, 1.0, 2.5, 2.6):
        fold = Fold(memory, lambda: f"alr_{next(numbers)}", Papers())
        at = start + timedelta(hours=hours)
        there = ONE if hours < 2.6 else TWO
        for again in range(2 if there is TWO else 1):
            moment = at + timedelta(seconds=again)
            fold.add_runs([run_of(watched, there, region="rome", at=moment)])
        fold.add_runs([run_of(watched, TWO, at=at)])
        fold.apply()
        keys.append([(alert.key, alert.state.value) for alert in fold.batch().alerts])

    assert keys[:2] == [[], []]
    assert keys[2] == [("divergence/m1", "firing")]
    assert ("divergence/m1", "resolved") in keys[3]
