"""Values to store in tests, each whole and with one thing said about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lifesign.core.batch import Ping
from lifesign.core.messages import Alert, AlertEvent, Attempt, Delivery
from lifesign.core.model import (
    Check,
    Failure,
    Monitor,
    MonitorState,
    Observation,
    Outcome,
    Run,
    State,
    Transition,
)
from lifesign.core.scope import Grant, Scope, system_scope

T0 = datetime(2026, 3, 1, tzinfo=UTC)
OURS = system_scope("test")
THEIRS = Scope(actor="test", grant=Grant.ADMIN, tenant="other")
REFUSED = Failure("tcp", "refused", "Connecting to web:80 was refused.", remedy="Start it.")


def at(**after: float) -> datetime:
    return T0 + timedelta(**after)


def a_monitor(monitor_id: str = "m1", **changes: Any) -> Monitor:
    given = {"name": f"Monitor {monitor_id}", "kind": "http", "settings": {"url": "http://a"}}
    return Monitor(id=monitor_id, **{**given, **changes})


def a_run(slot: datetime = T0, state: State = State.UP, **changes: Any) -> Run:
    failure = REFUSED if state is State.DOWN else None
    seen = Observation(
        facts={"status": 200, "tls.days_left": 61.5},
        phases_ms={"dns": 1.5, "connect": 2.5},
        failure=failure,
        content={"body": "secret body"},
    )
    given: dict[str, Any] = {
        "monitor_id": "m1",
        "slot": slot,
        "observation": seen,
        "outcome": Outcome(state, failure, (Check("status == 200", holds=True, found="200"),)),
        "started_at": slot + timedelta(milliseconds=3),
        "duration_ms": 12.5,
        "late_s": 0.25,
    }
    return Run(**{**given, **changes})


def a_state(state: State = State.UP, **changes: Any) -> MonitorState:
    given: dict[str, Any] = {"monitor_id": "m1", "state": state, "since": T0}
    return MonitorState(**{**given, **changes})


def a_transition(when: datetime, before: State, after: State, **changes: Any) -> Transition:
    given: dict[str, Any] = {"monitor_id": "m1", "at": when, "before": before, "after": after}
    return Transition(**{**given, **changes})


def an_alert(alert_id: str = "a1", **changes: Any) -> Alert:
    given: dict[str, Any] = {
        "key": "m1/state",
        "monitor_id": "m1",
        "title": "Web is down",
        "failure": REFUSED,
        "opened_at": T0,
        "updated_at": T0,
    }
    return Alert(id=alert_id, **{**given, **changes})


def a_delivery(delivery_id: str = "d1", **changes: Any) -> Delivery:
    given: dict[str, Any] = {
        "channel_id": "c1",
        "alert_id": "a1",
        "event": AlertEvent.FIRED,
        "why": "first",
        "created_at": T0,
        "due_at": T0,
    }
    return Delivery(id=delivery_id, **{**given, **changes})


def an_attempt(delivery_id: str = "d1", **changes: Any) -> Attempt:
    given: dict[str, Any] = {
        "at": T0,
        "number": 1,
        "delivered": True,
        "permanent": False,
        "detail": "200 OK",
        "duration_ms": 20.0,
    }
    return Attempt(delivery_id=delivery_id, **{**given, **changes})


def a_ping(action: str = "success", **changes: Any) -> Ping:
    given: dict[str, Any] = {"monitor_id": "m1", "at": T0, "action": action}
    return Ping(**{**given, **changes})
