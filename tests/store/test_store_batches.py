import asyncio
import json
from dataclasses import replace

import pytest

from lifesign.core.batch import Batch, Event
from lifesign.core.errors import ConflictError, NotFoundError
from lifesign.core.messages import AlertState
from lifesign.core.model import Finding, Level, Monitor, Observation, Reason, Severity, State
from lifesign.store import AlertQuery, Store, StoredRun
from lifesign.store.rows import run_columns, run_of
from store.making import (
    OURS,
    REFUSED,
    T0,
    THEIRS,
    a_delivery,
    a_monitor,
    a_ping,
    a_run,
    a_state,
    a_transition,
    an_alert,
    at,
)

pytestmark = pytest.mark.usefixtures("monitor")


async def test_a_run_comes_back_without_its_content(store: Store):
    run = a_run(T0, State.DOWN)

    await store.observations.commit(Batch(runs=(run,)))
    (stored,) = (await store.observations.runs(OURS, "m1")).items

    assert stored == StoredRun(
        monitor_id="m1",
        region="local",
        slot=T0,
        started_at=at(milliseconds=3),
        state=State.DOWN,
        duration_ms=12.5,
        late_ms=250.0,
        facts=run.observation.facts,
        phases_ms=run.observation.phases_ms,
        failure=REFUSED,
        checks=run.outcome.checks,
    )


async def test_a_finding_comes_back_with_its_reason_and_its_proof(store: Store):
    finding = Finding.of(replace(REFUSED, reason=Reason.CANARY_FAILED, evidence="{}"), Level.WARN)
    run = a_run(observation=Observation(findings=(finding,)))

    await store.observations.commit(Batch(runs=(run,)))
    (stored,) = (await store.observations.runs(OURS, "m1")).items

    assert stored.findings == (finding,)


def test_a_finding_that_was_stored_without_a_reason_can_be_read():
    finding = Finding.of(REFUSED, Level.WARN)
    columns = run_columns(a_run(observation=Observation(findings=(finding,))))
    detail = json.loads(columns["detail"])
    for name in ("reason", "evidence"):
        del detail["findings"][0][name]

    stored = run_of(columns | {"detail": json.dumps(detail)})

    assert stored.findings == (finding,)


async def test_twice_is_once(store: Store):
    batch = Batch(
        runs=(a_run(), a_run(region="fra")),
        states=(a_state(),),
        transitions=(a_transition(T0, State.UNKNOWN, State.UP),),
        alerts=(an_alert(),),
        deliveries=(a_delivery(),),
    )

    await store.observations.commit(batch)
    await store.observations.commit(batch)

    assert len((await store.observations.runs(OURS, "m1")).items) == 2
    assert len((await store.observations.transitions(OURS, "m1")).items) == 1
    assert await store.alerts.open_alerts() == [an_alert()]
    assert await store.outbox.pending_count() == 1


async def test_the_first_report_of_a_slot_stays(store: Store):
    await store.observations.commit(Batch(runs=(a_run(T0, State.UP),)))
    await store.observations.commit(Batch(runs=(a_run(T0, State.DOWN),)))

    (stored,) = (await store.observations.runs(OURS, "m1")).items
    assert stored.state is State.UP


async def test_states_are_overwritten_and_come_back_whole(store: Store):
    newer = a_state(
        State.DOWN,
        since=at(minutes=1),
        bad=3,
        recent="uud",
        flapping=True,
        suspect=True,
        failure=REFUSED,
        regions={"fra": "down"},
    )
    await store.observations.commit(Batch(states=(a_state(),)))
    await store.observations.commit(Batch(states=(newer,)))

    assert await store.monitors.all_states() == (newer,)
    assert await store.monitors.state(OURS, "m1") == newer
    assert await store.monitors.state(THEIRS, "m1") is None


async def test_event_ids_grow_without_gaps_even_past_a_refused_batch(store: Store):
    await store.observations.commit(Batch(alerts=(an_alert(),)))
    event = Event(type="alert.fired", at=T0, monitor_id="m1", data={"alert": "a1"})

    (first,) = await store.observations.commit(Batch(events=(event,)))
    with pytest.raises(ConflictError):
        await store.observations.commit(Batch(alerts=(an_alert("a2"),), events=(event,)))
    second, third = await store.observations.commit(Batch(events=(event, event)))

    assert [first.id, second.id, third.id] == [1, 2, 3]
    assert await store.events.since(OURS, 1) == (second, third)
    assert await store.events.recent(OURS, 2) == (third, second)
    assert await store.events.since(THEIRS, 0) == ()
    assert (await store.events.oldest_id(), await store.events.newest_id()) == (1, 3)


async def test_concurrent_batches_share_out_the_ids(store: Store):
    event = Event(type="monitor.state", at=T0)

    batches = [store.observations.commit(Batch(events=(event, event))) for _ in range(8)]
    stored = await asyncio.gather(*batches)

    assert sorted(event.id for events in stored for event in events) == list(range(1, 17))
    assert all(first.id + 1 == second.id for first, second in stored)


async def test_a_refused_batch_leaves_nothing_behind(store: Store):
    await store.observations.commit(Batch(alerts=(an_alert(),)))

    refused = Batch(runs=(a_run(),), states=(a_state(),), alerts=(an_alert("a2"),))
    with pytest.raises(ConflictError):
        await store.observations.commit(refused)

    assert (await store.observations.runs(OURS, "m1")).items == ()
    assert await store.monitors.all_states() == ()


async def test_one_key_has_one_open_alert_and_a_new_one_after_it_resolved(store: Store):
    resolved = an_alert(state=AlertState.RESOLVED, resolved_at=at(minutes=1))
    await store.observations.commit(Batch(alerts=(an_alert(),)))
    await store.observations.commit(Batch(alerts=(resolved, an_alert("a2"))))

    assert [alert.id for alert in await store.alerts.open_alerts()] == ["a2"]
    assert await store.alerts.get(OURS, "a1") == resolved


async def test_an_acknowledgement_outlives_what_the_engine_remembers(store: Store):
    await store.observations.commit(Batch(alerts=(an_alert(),)))

    first = await store.alerts.acknowledge(OURS, "a1", "ada", at(minutes=1))
    again = await store.alerts.acknowledge(OURS, "a1", "bob", at(minutes=2))
    worse = an_alert(severity=Severity.CRITICAL, updated_at=at(minutes=3))
    await store.observations.commit(Batch(alerts=(worse,)))
    now = await store.alerts.get(OURS, "a1")

    assert (first.state, first.acknowledged_by) == (AlertState.ACKNOWLEDGED, "ada")
    assert again == first
    assert (now.state, now.acknowledged_by) == (AlertState.ACKNOWLEDGED, "ada")
    assert (now.acknowledged_at, now.severity) == (at(minutes=1), Severity.CRITICAL)


async def test_a_resolved_alert_is_not_acknowledged_and_never_fires_again(store: Store):
    resolved = an_alert(state=AlertState.RESOLVED, resolved_at=at(minutes=1))
    await store.observations.commit(Batch(alerts=(resolved,)))
    await store.observations.commit(Batch(alerts=(an_alert(),)))

    assert await store.alerts.get(OURS, "a1") == resolved
    with pytest.raises(ConflictError):
        await store.alerts.acknowledge(OURS, "a1", "ada", at(minutes=2))
    with pytest.raises(NotFoundError):
        await store.alerts.acknowledge(THEIRS, "a1", "eve", at(minutes=2))


async def test_alerts_are_listed_newest_first_and_by_page(store: Store):
    for number in range(5):
        alert = an_alert(
            f"a{number}",
            key=f"k{number}",
            opened_at=at(minutes=number // 2, microseconds=7),
            severity=Severity.LOW if number == 4 else Severity.HIGH,
        )
        await store.observations.commit(Batch(alerts=(alert,)))

    first = await store.alerts.list(OURS, AlertQuery(limit=3))
    second = await store.alerts.list(OURS, AlertQuery(limit=3, cursor=first.next_cursor))
    severe = await store.alerts.list(OURS, AlertQuery(severity=Severity.MEDIUM))
    done = await store.alerts.list(OURS, AlertQuery(states=(AlertState.RESOLVED,)))

    assert [a.id for a in (*first.items, *second.items)] == ["a4", "a3", "a2", "a1", "a0"]
    assert second.next_cursor is None
    assert [alert.id for alert in severe.items] == ["a3", "a2", "a1", "a0"]
    assert done.items == ()
    assert (await store.alerts.list(THEIRS, AlertQuery())).items == ()


async def test_runs_page_over_equal_slots_and_filter_by_state(store: Store):
    runs = [
        a_run(at(minutes=n), State.DOWN if n == 2 else State.UP, region=region)
        for n in range(4)
        for region in ("fra", "nyc")
    ]
    await store.observations.commit(Batch(runs=tuple(runs)))

    seen, cursor = [], None
    while True:
        page = await store.observations.runs(OURS, "m1", limit=3, cursor=cursor)
        seen += [(run.slot, run.region) for run in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    down = await store.observations.runs(OURS, "m1", states=[State.DOWN])
    window = await store.observations.runs(OURS, "m1", since=at(minutes=1), until=at(minutes=2))

    assert seen == sorted(((run.slot, run.region) for run in runs), reverse=True)
    assert {run.slot for run in down.items} == {at(minutes=2)}
    assert {run.slot for run in window.items} == {at(minutes=1)}


async def test_rows_of_a_monitor_that_is_gone_do_not_stop_the_others(store: Store):
    await store.observations.commit(
        Batch(
            runs=(a_run(), a_run(monitor_id="gone")),
            states=(a_state(monitor_id="gone"), a_state()),
            transitions=(a_transition(T0, State.UP, State.DOWN, monitor_id="gone"),),
            pings=(a_ping(monitor_id="gone"), a_ping()),
        )
    )

    assert [state.monitor_id for state in await store.monitors.all_states()] == ["m1"]
    assert (await store.observations.runs(OURS, "gone")).items == ()
    assert len(await store.pings.recent(OURS, "m1")) == 1


async def test_a_cancelled_write_leaves_the_store_usable(store: Store):
    """The writer is one connection: a caller that goes away must not take it along."""
    adding = [asyncio.create_task(store.monitors.add(OURS, a_monitor(f"m{n}"))) for n in range(20)]
    await asyncio.wait(adding, return_when=asyncio.FIRST_COMPLETED)
    for task in adding:
        task.cancel()
    results = await asyncio.gather(*adding, return_exceptions=True)

    await store.monitors.add(OURS, a_monitor("last"))
    kept = {monitor.id for monitor in await store.monitors.all_active()}

    assert kept >= {result.id for result in results if isinstance(result, Monitor)} | {"last"}
    assert await store.healthy()
