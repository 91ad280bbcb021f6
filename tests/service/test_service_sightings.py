from datetime import timedelta

import pytest

from lifesign.core.batch import Batch, Ping
from lifesign.core.errors import InvalidError
from lifesign.core.model import (
    Failure,
    MonitorState,
    Observation,
    Outcome,
    Owner,
    Run,
    State,
    Transition,
)
from lifesign.core.scope import system_scope
from lifesign.store import MonitorQuery
from premises import ADMIN, OPERATOR, READER, Premises


async def certificate(house: Premises, host: str, days: int, *, broken: bool = False) -> str:
    draft = {"kind": "tls", "name": host, "settings": {"host": host}}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    expiry = house.clock.now() + timedelta(days=days)
    failure = Failure("tls", "expired", "The certificate has expired.") if broken else None
    seen = Observation(
        facts={"tls.not_after": expiry.isoformat(), "tls.subject": host, "tls.sans": [host]},
        failure=failure,
    )
    run = Run(
        monitor_id=view.id, slot=house.clock.now(), observation=seen,
        outcome=Outcome(State.DOWN if broken else State.UP, failure),
        started_at=house.clock.now(), duration_ms=5.0,
    )  # fmt: skip
    await house.store.observations.commit(Batch(runs=(run,)))
    return view.id


async def test_certificates_come_by_expiry_and_say_what_is_wrong(house: Premises) -> None:
    await certificate(house, "late.example", 90)
    await certificate(house, "soon.example", 3)
    await certificate(house, "gone.example", -1, broken=True)
    first = await house.services.monitors.certificates(READER, limit=2)
    rest = await house.services.monitors.certificates(READER, limit=2, cursor=first.next_cursor)

    shown = [(each.subject, each.days_left, each.problem) for each in (*first.items, *rest.items)]
    assert shown == [
        ("gone.example", -1.0, "The certificate has expired."),
        ("soon.example", 3.0, "It expires in 3 days."),
        ("late.example", 90.0, ""),
    ]
    assert (first.total, rest.next_cursor) == (3, None)


async def test_who_may_only_read_learns_no_ping_key(house: Premises) -> None:
    added = await house.services.monitors.add(
        ADMIN, {"kind": "heartbeat", "name": "backup"}, owner=Owner.API
    )
    key = str(added.settings["uuid"])
    monitors = house.services.monitors

    for scope, is_told in ((READER, False), (OPERATOR, True)):
        view = await monitors.get(scope, added.id)
        (row,) = (await monitors.list(scope, MonitorQuery())).items
        (plain,) = (await monitors.list(scope, MonitorQuery(), with_figures=False)).items
        (beat,) = (await monitors.heartbeats(scope)).items
        assert [key in str(each) for each in (view, row, plain, beat)] == [is_told] * 4


async def test_job_that_never_reported_is_due_after_its_period(house: Premises) -> None:
    draft = {"kind": "heartbeat", "name": "backup", "settings": {"period": "PT1H"}}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    house.clock.advance(5400)
    (beat,) = (await house.services.monitors.heartbeats(OPERATOR)).items

    assert beat.due_at == view.created_at + timedelta(hours=1)
    assert (beat.overdue_s, beat.last_ping_at, beat.last_action) == (1800.0, None, "")
    assert beat.ping_url == f"http://127.0.0.1:8080/ping/{view.settings['uuid']}"


async def test_newest_ping_of_a_job_is_shown(house: Premises) -> None:
    view = await house.services.monitors.add(ADMIN, {"kind": "heartbeat"}, owner=Owner.API)
    at = house.clock.now()
    await house.store.pings.append([Ping(monitor_id=view.id, at=at, action="start")])
    (beat,) = (await house.services.monitors.heartbeats(READER)).items

    assert (beat.last_ping_at, beat.last_action) == (at, "start")


async def test_history_counts_exact_seconds(house: Premises) -> None:
    view = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:9"}, owner=Owner.API)
    start = house.clock.now()
    steps = ((0, State.UNKNOWN, State.UP), (600, State.UP, State.DOWN), (900, State.DOWN, State.UP))
    changes = tuple(
        Transition(monitor_id=view.id, at=start + timedelta(seconds=s), before=a, after=b)
        for s, a, b in steps
    )
    state = MonitorState(monitor_id=view.id, since=start, state=State.UP)
    await house.store.observations.commit(Batch(transitions=changes, states=(state,)))
    house.clock.advance(1200)
    past = await house.services.monitors.history(
        READER, view.id, since=start, until=house.clock.now(), points=10, days=2
    )

    assert (past.down_s, past.uptime) == (300.0, 0.75)
    assert (len(past.points), len(past.days)) == (10, 2)
    assert sum(day.down_s for day in past.days) == 300.0


async def test_history_that_cannot_be_drawn_is_refused(house: Premises) -> None:
    view = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:9"}, owner=Owner.API)
    now = house.clock.now()
    with pytest.raises(InvalidError) as caught:
        await house.services.monitors.history(
            READER, view.id, since=now, until=now, points=0, days=-1
        )

    assert {field for field, _ in caught.value.problems} == {"since", "points", "days"}


async def test_health_counts_and_says_what_is_wrong(house: Premises) -> None:
    await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:9"}, owner=Owner.API)
    well = await house.services.status.health(READER)
    house.figures |= {"late_p99_ms": 4000.0, "silent_s": 60.0}
    ill = await house.services.status.health(system_scope("test"))

    assert (well.monitors["unknown"], well.kinds, well.problems) == (1, {"tcp": 1}, ())
    assert well.storage_ok
    assert (well.database_bytes or 0) > 0
    assert [problem.split(":")[0] for problem in ill.problems] == ["engine", "engine"]
