"""From a change of state to a change of alert. Pure: never two open alerts of one key, resolve follows fire.

The decision, in order:
1. nothing is open and the monitor went down or degraded: *fired* (degraded one severity lower, at most medium);
2. an alert is open and the monitor is up, paused, in maintenance or gone: *resolved*;
3. an alert is open for a degraded monitor that went down: *escalated* to the monitor's severity;
4. an alert is open and the reason or the state moved otherwise: the text follows, nobody is told;
5. unknown changes nothing, even when it is believed: what we cannot see we neither raise nor clear.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from lifesign.core.messages import Alert, AlertEvent, AlertState
from lifesign.core.model import Failure, Monitor, MonitorState, Severity, State

_BAD = (State.DOWN, State.DEGRADED)


@dataclass(frozen=True, slots=True)
class AlertChange:
    """The alert as it now is; `event` is None when nobody has to be told."""

    alert: Alert
    event: AlertEvent | None


@dataclass(frozen=True, slots=True)
class Concern:
    """A matter that is told beside a monitor's state and without changing it: drift, latency, a credential.

    `topic` keys its alert (`drift/<monitor id>`); `title` follows the monitor's name in the alert's one line.
    """

    topic: str
    severity: Severity
    title: str
    failure: Failure


def alert_key(monitor_id: str, topic: str = "monitor") -> str:
    """The stable key of a monitor's own alert, or of one of its concerns."""
    return f"{topic}/{monitor_id}"


def follow_concern(
    open_alert: Alert | None,
    *,
    monitor: Monitor,
    concern: Concern | None,
    at: datetime,
    new_id: str,
) -> AlertChange | None:
    """What a concern, or its end (None), does to its alert; None when nothing changes.

    It fires, escalates when it becomes more severe, has its text follow otherwise, and resolves when it is gone.
    """
    if concern is None:
        return None if open_alert is None else resolve(open_alert, at=at)
    title = f"{monitor.name}: {concern.title}"
    if open_alert is None:
        alert = Alert(
            id=new_id,
            key=alert_key(monitor.id, concern.topic),
            monitor_id=monitor.id,
            tenant=monitor.tenant,
            severity=concern.severity,
            title=title,
            failure=concern.failure,
            opened_at=at,
            updated_at=at,
        )
        return AlertChange(alert, AlertEvent.FIRED)
    escalated = concern.severity.rank > open_alert.severity.rank
    severity = concern.severity if escalated else open_alert.severity
    after = replace(open_alert, severity=severity, title=title, failure=concern.failure)
    if after == open_alert:
        return None
    event = AlertEvent.ESCALATED if escalated else None
    return AlertChange(replace(after, updated_at=at), event)


def follow(
    open_alert: Alert | None, *, monitor: Monitor, state: MonitorState, at: datetime, new_id: str
) -> AlertChange | None:
    """What a monitor's new state does to its alert; None when nothing changes. `new_id` is used on firing."""
    if state.state in _BAD:
        if open_alert is None:
            return _fire(monitor, state, at=at, new_id=new_id)
        return _update(open_alert, monitor=monitor, state=state, at=at)
    if open_alert is not None and state.state is not State.UNKNOWN:
        return resolve(open_alert, at=at)
    return None


def resolve(alert: Alert, *, at: datetime) -> AlertChange:
    """Close an open alert."""
    resolved = replace(alert, state=AlertState.RESOLVED, updated_at=at, resolved_at=at)
    return AlertChange(resolved, AlertEvent.RESOLVED)


def _fire(monitor: Monitor, state: MonitorState, *, at: datetime, new_id: str) -> AlertChange:
    alert = Alert(
        id=new_id,
        key=alert_key(monitor.id),
        monitor_id=monitor.id,
        tenant=monitor.tenant,
        severity=severity_of(monitor, state.state),
        title=title_of(monitor.name, state.state, state.failure),
        failure=state.failure,
        opened_at=at,
        updated_at=at,
    )
    return AlertChange(alert, AlertEvent.FIRED)


def _update(
    alert: Alert, *, monitor: Monitor, state: MonitorState, at: datetime
) -> AlertChange | None:
    severity = max(alert.severity, severity_of(monitor, state.state), key=lambda each: each.rank)
    title = title_of(monitor.name, state.state, state.failure)
    if (severity, title, state.failure) == (alert.severity, alert.title, alert.failure):
        return None
    escalated = severity is not alert.severity
    after = replace(alert, severity=severity, title=title, failure=state.failure, updated_at=at)
    return AlertChange(after, AlertEvent.ESCALATED if escalated else None)


def severity_of(monitor: Monitor, state: State) -> Severity:
    """The monitor's severity when it is down; milder, and never above medium, when it is degraded."""
    if state is State.DOWN:
        return monitor.severity
    milder = [each for each in Severity if each.rank < monitor.severity.rank]
    wanted = milder[-1] if milder else Severity.NOTICE
    return min(wanted, Severity.MEDIUM, key=lambda each: each.rank)


def title_of(name: str, state: State, failure: Failure | None) -> str:
    """One line for people: the name, the state and the broken layer."""
    where = f": {failure.layer} / {failure.code}" if failure is not None else ""
    return f"{name} is {state.value}{where}"
