"""Alerts follow states: one open alert a key, resolve follows fire."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.alerting import follow
from lifesign.core.messages import Alert, AlertEvent, AlertState, Channel, Route
from lifesign.core.model import Failure, Monitor, MonitorState, Severity, State
from lifesign.core.routing import deliveries, matches

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = Monitor(id="m1", name="shop", kind="http", settings={}, tags=("prod",), slug="shop")
BROKEN = Failure("tcp", "refused", "Nothing listens on 127.0.0.1:80.")


def state(of: State, failure: Failure | None = BROKEN) -> MonitorState:
    return MonitorState(
        monitor_id="m1", state=of, since=NOW, failure=failure if of is not State.UP else None
    )


def fired(of: State = State.DOWN) -> Alert:
    change = follow(None, monitor=SHOP, state=state(of), at=NOW, new_id="a1")
    assert change is not None
    return change.alert


def test_down_fires_with_the_monitors_severity() -> None:
    alert = fired()

    assert (
        alert.state,
        alert.severity,
        alert.failure,
    ) == (AlertState.FIRING, Severity.HIGH, BROKEN)
    assert alert.title == "shop is down: tcp / refused"


def test_degraded_fires_milder() -> None:
    assert Severity.MEDIUM is fired(State.DEGRADED).severity


def test_degraded_that_goes_down_escalates_the_same_alert() -> None:
    milder = replace(fired(State.DEGRADED), state=AlertState.ACKNOWLEDGED)

    change = follow(milder, monitor=SHOP, state=state(State.DOWN), at=NOW, new_id="a2")

    assert change is not None
    assert (
        change.event, change.alert.id, change.alert.state,
    ) == (AlertEvent.ESCALATED, "a1", AlertState.ACKNOWLEDGED)  # fmt: skip


@pytest.mark.parametrize("to", [State.UP, State.PAUSED, State.MAINTENANCE])
def test_recovery_pause_and_maintenance_resolve(to: State) -> None:
    change = follow(fired(), monitor=SHOP, state=state(to), at=NOW, new_id="a2")

    assert change is not None
    assert (
        change.event, change.alert.state, change.alert.resolved_at,
    ) == (AlertEvent.RESOLVED, AlertState.RESOLVED, NOW)  # fmt: skip


def test_unknown_neither_raises_nor_clears() -> None:
    assert follow(None, monitor=SHOP, state=state(State.UNKNOWN), at=NOW, new_id="a") is None
    assert follow(fired(), monitor=SHOP, state=state(State.UNKNOWN), at=NOW, new_id="a") is None


def test_a_new_reason_changes_the_text_and_tells_nobody() -> None:
    other = Failure("dns", "nxdomain", "There is no such name.")

    change = follow(fired(), monitor=SHOP, state=state(State.DOWN, other), at=NOW, new_id="a2")

    assert change is not None
    assert (None, other) == (change.event, change.alert.failure)


@given(st.lists(st.sampled_from(list(State))))
def test_at_most_one_alert_is_open_and_every_resolve_follows_a_fire(history: list[State]) -> None:
    alert: Alert | None = None
    open_ids: list[str] = []
    for number, each in enumerate(history):
        is_open = alert is not None and alert.state is not AlertState.RESOLVED
        change = follow(
            alert if is_open else None, monitor=SHOP, state=state(each), at=NOW, new_id=f"a{number}"
        )
        if change is None:
            continue
        if change.event is AlertEvent.FIRED:
            assert not open_ids
            open_ids.append(change.alert.id)
        elif change.event is AlertEvent.RESOLVED:
            assert open_ids == [change.alert.id]
            open_ids.clear()
        alert = change.alert


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"min_severity": Severity.CRITICAL}, False),
        ({"min_severity": Severity.HIGH}, True),
        ({"kinds": ("mcp",)}, False),
        ({"kinds": ("mcp", "http")}, True),
        ({"tags": ("dev",)}, False),
        ({"tags": ("prod", "dev")}, True),
        ({"monitors": ("shop",)}, True),
        ({"monitors": ("m2",)}, False),
        ({"events": (AlertEvent.RESOLVED,)}, False),
        ({"tenant": "other"}, False),
    ],
)
def test_a_route_wants_what_all_its_fields_allow(
    changes: dict[str, object], expected: bool
) -> None:
    route = replace(Route(id="r", name="all", channels=("c",)), **changes)

    assert expected is matches(route, alert=fired(), monitor=SHOP, event=AlertEvent.FIRED)


def test_each_channel_is_owed_once_and_deciding_twice_owes_the_same() -> None:
    channels = {key: Channel(id=key, name=key, kind="webhook", settings={}) for key in ("c", "d")}
    channels["off"] = Channel(id="off", name="off", kind="webhook", settings={}, enabled=False)
    routes = [
        Route(id="r1", name="first", channels=("c", "off", "gone")),
        Route(id="r2", name="second", channels=("c", "d")),
    ]

    def owed() -> list[tuple[str, str]]:
        rows = deliveries(
            fired(), event=AlertEvent.FIRED, monitor=SHOP, routes=routes, channels=channels, at=NOW
        )
        return [(row.id, row.channel_id) for row in rows]

    assert [channel for _, channel in owed()] == ["c", "d"]
    assert owed() == owed()
