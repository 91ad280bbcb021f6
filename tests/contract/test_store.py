"""Both databases tell the same story: one day of a monitor, asked in every way, answered alike."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from lifesign.core.batch import Batch, Event
from lifesign.core.model import State
from lifesign.store import AlertQuery, MonitorQuery, Retention, Store, open_store
from store.making import (
    OURS,
    T0,
    a_delivery,
    a_monitor,
    a_ping,
    a_run,
    a_state,
    a_transition,
    an_alert,
    an_attempt,
    at,
)
from store.postgres import running_server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


async def _live(store: Store) -> None:
    """One day: up, down for an hour, up again, with an alert that was sent and acknowledged."""
    for number, name in enumerate(("Öl", "apple", "Zebra", "äpfel")):
        await store.monitors.add(OURS, a_monitor(f"m{number}", name=name, tags=("x",)))
    for hour in range(24):
        state = State.DOWN if hour == 5 else State.UP
        runs = [
            a_run(at(hours=hour, minutes=minute), state, duration_ms=10.0 + hour + minute / 7)
            for minute in range(0, 60, 5)
        ]
        await store.observations.commit(Batch(runs=tuple(runs)))
    changes = (
        a_transition(T0, State.UNKNOWN, State.UP),
        a_transition(at(hours=5), State.UP, State.DOWN),
        a_transition(at(hours=6), State.DOWN, State.UP),
    )
    await store.observations.commit(
        Batch(
            states=(a_state(State.UP), a_state(State.DOWN, monitor_id="m2")),
            transitions=changes,
            alerts=(an_alert(),),
            deliveries=(a_delivery(),),
            events=(Event(type="alert.fired", at=T0, data={"id": "a1", "n": [1, None, 0.5]}),),
            pings=(a_ping("start", body=b"\x00\xff"),),
        )
    )
    (claimed,) = await store.outbox.claim(at(hours=5), limit=5, lease_s=60)
    await store.outbox.settle(claimed, an_attempt(), status="delivered", due_at=T0)
    await store.alerts.acknowledge(OURS, "a1", "ada", at(hours=5))
    await store.observations.roll_up(at(hours=25))


async def _ask(store: Store) -> dict[str, object]:
    seen = store.observations
    end = at(hours=25)
    return {
        "worst": await store.monitors.list(OURS, MonitorQuery()),
        "name": await store.monitors.list(OURS, MonitorQuery(sort="name", text="ÄP")),
        "counts": await store.monitors.counts(OURS),
        "runs": await seen.runs(OURS, "m1", limit=1000),
        "series": await seen.series(OURS, "m1", T0, end, 25),
        "fine": await seen.series(OURS, "m1", T0, end, 100),
        "percentiles": await seen.percentiles(OURS, "m1", at(minutes=17), at(hours=20.5)),
        "days": await seen.days(OURS, "m1", days=3, now=end),
        "digests": {k: asdict(v) for k, v in (await seen.digests(OURS, ["m1"], T0, end)).items()},
        "transitions": await seen.transitions(OURS, "m1"),
        "alerts": await store.alerts.list(OURS, AlertQuery()),
        "deliveries": await store.alerts.deliveries(OURS, "a1"),
        "events": await store.events.since(OURS, 0),
        "pings": await store.pings.recent(OURS, "m1"),
    }


@pytest.mark.slow
async def test_both_databases_answer_alike(postgres: str, tmp_path: Path):
    answers = []
    for url in (f"sqlite:///{tmp_path / 'a.db'}", postgres):
        async with open_store(url) as store:
            await _live(store)
            before = await _ask(store)
            pruned = await store.observations.prune(
                at(days=40), Retention(raw=timedelta(days=1), hourly=timedelta(days=2))
            )
            answers.append((before, pruned, await _ask(store)))

    (sqlite_before, sqlite_pruned, sqlite_after), (before, pruned, after) = answers
    for question, answer in sqlite_before.items():
        assert answer == before[question], question
    for question, answer in sqlite_after.items():
        assert answer == after[question], question
    assert sqlite_pruned == pruned > 0
