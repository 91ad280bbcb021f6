"""Values to rows and back: the one place that knows how each value of `core` is spelt in columns."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import RowMapping

from lifesign.core.batch import Event, Ping
from lifesign.core.messages import Alert, AlertEvent, AlertState, Attempt, Channel, Delivery, Route
from lifesign.core.model import (
    Check,
    Failure,
    Finding,
    Monitor,
    MonitorState,
    Owner,
    Policy,
    Run,
    Severity,
    Transition,
)
from lifesign.store.codes import CODE_STATE, STATE_CODE, ping_outcome
from lifesign.store.columns import from_ms, to_ms, to_us
from lifesign.store.values import StoredRun

Columns = dict[str, Any]
T = TypeVar("T")

MAX_PING_BODY = 100_000

_encode = msgspec.json.encode
_strings = msgspec.json.Decoder(tuple[str, ...])
_policy = msgspec.json.Decoder(Policy)
_failure = msgspec.json.Decoder(Failure)
_words = msgspec.json.Decoder(dict[str, str])
_alert_events = msgspec.json.Decoder(tuple[AlertEvent, ...])


class Detail(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The part of a run that is only read one run at a time, as one JSON object without empty fields."""

    facts: Mapping[str, Any] = {}
    phases: Mapping[str, float] = {}
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()


_detail = msgspec.json.Decoder(Detail)


def _text(value: object) -> str:
    return _encode(value).decode()


def _failure_text(failure: Failure | None) -> str | None:
    return None if failure is None else _text(failure)


def _failure_of(stored: str | None) -> Failure | None:
    return None if stored is None else _failure.decode(stored)


def _us(value: datetime | None) -> int | None:
    return None if value is None else to_us(value)


def monitor_columns(monitor: Monitor, settings: bytes) -> Columns:
    """A monitor as columns; `settings` is what the vault made of its settings."""
    searched = (monitor.name, monitor.slug, monitor.kind, monitor.group, monitor.description)
    return {
        "id": monitor.id,
        "tenant": monitor.tenant,
        "slug": monitor.slug,
        "name": monitor.name,
        "name_key": monitor.name.casefold(),
        "kind": monitor.kind,
        "settings": settings,
        "interval_s": monitor.interval_s,
        "timeout_s": monitor.timeout_s,
        "conditions": _text(monitor.conditions),
        "policy": _text(monitor.policy),
        "severity": monitor.severity.value,
        "group_name": monitor.group,
        "tags": _text(monitor.tags),
        "description": monitor.description,
        "runbook_url": monitor.runbook_url,
        "regions": _text(monitor.regions),
        "paused": monitor.paused,
        "owner": monitor.owner.value,
        "version": monitor.version,
        "created_at": monitor.created_at,
        "updated_at": monitor.updated_at,
        "haystack": "\n".join((*searched, *monitor.tags)).casefold(),
    }


def monitor_of(row: RowMapping, settings: Mapping[str, object]) -> Monitor:
    """The monitor in a row of `monitors`."""
    return Monitor(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        settings=settings,
        tenant=row["tenant"],
        slug=row["slug"],
        interval_s=row["interval_s"],
        timeout_s=row["timeout_s"],
        conditions=_strings.decode(row["conditions"]),
        policy=_policy.decode(row["policy"]),
        severity=Severity(row["severity"]),
        group=row["group_name"],
        tags=_strings.decode(row["tags"]),
        description=row["description"],
        runbook_url=row["runbook_url"],
        regions=_strings.decode(row["regions"]),
        paused=row["paused"],
        owner=Owner(row["owner"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def state_columns(state: MonitorState) -> Columns:
    """What the judge remembers, as columns of driver values."""
    return {
        "monitor_id": state.monitor_id,
        "tenant": state.tenant,
        "state": STATE_CODE[state.state],
        "since": to_us(state.since),
        "bad": state.bad,
        "good": state.good,
        "recent": state.recent,
        "flapping": state.flapping,
        "suspect": state.suspect,
        "failure": _failure_text(state.failure),
        "regions": _text(state.regions),
    }


def state_of(row: RowMapping) -> MonitorState:
    """The state in a row of `monitor_states`."""
    return MonitorState(
        monitor_id=row["monitor_id"],
        tenant=row["tenant"],
        state=CODE_STATE[row["state"]],
        since=row["since"],
        bad=row["bad"],
        good=row["good"],
        recent=row["recent"],
        flapping=row["flapping"],
        suspect=row["suspect"],
        failure=_failure_of(row["failure"]),
        regions=_words.decode(row["regions"]),
    )


def run_columns(run: Run) -> Columns:
    """A run as columns of driver values; `observation.content` stays behind."""
    seen, outcome = run.observation, run.outcome
    failure = outcome.failure or seen.failure
    detail = Detail(seen.facts, seen.phases_ms, failure, seen.findings, outcome.checks)
    return {
        "monitor_id": run.monitor_id,
        "slot_ms": to_ms(run.slot),
        "region": run.region,
        "tenant": run.tenant,
        "state": STATE_CODE[outcome.state],
        "started_ms": to_ms(run.started_at),
        "duration_ms": run.duration_ms,
        "late_ms": run.late_s * 1000,
        "layer": None if failure is None else failure.layer,
        "code": None if failure is None else failure.code,
        "detail": _encode(detail),
    }


def run_of(row: RowMapping) -> StoredRun:
    """The run in a row of `runs`."""
    detail = _detail.decode(row["detail"])
    return StoredRun(
        monitor_id=row["monitor_id"],
        region=row["region"],
        slot=from_ms(row["slot_ms"]),
        started_at=from_ms(row["started_ms"]),
        state=CODE_STATE[row["state"]],
        duration_ms=row["duration_ms"],
        late_ms=row["late_ms"],
        facts=detail.facts,
        phases_ms=detail.phases,
        failure=detail.failure,
        findings=detail.findings,
        checks=detail.checks,
    )


def transition_columns(transition: Transition) -> Columns:
    """A change of state as columns of driver values."""
    return {
        "monitor_id": transition.monitor_id,
        "tenant": transition.tenant,
        "at": to_us(transition.at),
        "before": STATE_CODE[transition.before],
        "after": STATE_CODE[transition.after],
        "failure": _failure_text(transition.failure),
    }


def transition_of(row: RowMapping) -> Transition:
    """The change in a row of `transitions`."""
    return Transition(
        monitor_id=row["monitor_id"],
        tenant=row["tenant"],
        at=row["at"],
        before=CODE_STATE[row["before"]],
        after=CODE_STATE[row["after"]],
        failure=_failure_of(row["failure"]),
    )


def alert_columns(alert: Alert) -> Columns:
    """An alert as columns of driver values."""
    return {
        "id": alert.id,
        "tenant": alert.tenant,
        "key": alert.key,
        "monitor_id": alert.monitor_id,
        "state": alert.state.value,
        "severity": alert.severity.value,
        "title": alert.title,
        "failure": _failure_text(alert.failure),
        "opened_at": to_us(alert.opened_at),
        "updated_at": to_us(alert.updated_at),
        "acknowledged_at": _us(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "resolved_at": _us(alert.resolved_at),
    }


def alert_of(row: RowMapping) -> Alert:
    """The alert in a row of `alerts`."""
    columns = dict(row)
    columns["state"] = AlertState(row["state"])
    columns["severity"] = Severity(row["severity"])
    columns["failure"] = _failure_of(row["failure"])
    return Alert(**columns)


def delivery_columns(delivery: Delivery) -> Columns:
    """An outbox row as columns of driver values."""
    return {
        "id": delivery.id,
        "tenant": delivery.tenant,
        "channel_id": delivery.channel_id,
        "alert_id": delivery.alert_id,
        "event": delivery.event.value,
        "why": delivery.why,
        "created_at": to_us(delivery.created_at),
        "due_at": to_us(delivery.due_at),
        "attempts": delivery.attempts,
        "status": delivery.status,
        "last_detail": delivery.last_detail,
        "claimed_until": None,
    }


def delivery_of(row: RowMapping) -> Delivery:
    """The delivery in a row of `deliveries`."""
    columns = {name: value for name, value in row.items() if name != "claimed_until"}
    columns["event"] = AlertEvent(row["event"])
    return Delivery(**columns)


def attempt_of(row: RowMapping) -> Attempt:
    """The try in a row of `attempts`."""
    return Attempt(**{name: value for name, value in row.items() if name != "tenant"})


def event_columns(event: Event) -> Columns:
    """An event as columns of driver values."""
    return {
        "id": event.id,
        "tenant": event.tenant,
        "type": event.type,
        "at": to_us(event.at),
        "monitor_id": event.monitor_id,
        "data": _text(event.data),
    }


def event_of(row: RowMapping) -> Event:
    """The event in a row of `events`."""
    return Event(**{**row, "data": msgspec.json.decode(row["data"])})


def ping_columns(ping: Ping) -> Columns:
    """A ping as columns of driver values; a body is cut at 100 kB."""
    return {
        "monitor_id": ping.monitor_id,
        "tenant": ping.tenant,
        "at": to_us(ping.at),
        "outcome": ping_outcome(ping.action, ping.exit_status),
        "action": ping.action,
        "exit_status": ping.exit_status,
        "run_id": ping.run_id,
        "body": ping.body[:MAX_PING_BODY],
        "method": ping.method,
        "remote": ping.remote,
        "user_agent": ping.user_agent,
    }


def ping_of(row: RowMapping) -> Ping:
    """The ping in a row of `pings`, without a body where none was read."""
    named = {name: value for name, value in row.items() if name not in {"id", "outcome"}}
    return Ping(**named)


def channel_columns(channel: Channel, settings: bytes) -> Columns:
    """A channel as columns; `settings` is what the vault made of its settings."""
    return {
        "id": channel.id,
        "tenant": channel.tenant,
        "name": channel.name,
        "kind": channel.kind,
        "settings": settings,
        "enabled": channel.enabled,
        "owner": channel.owner.value,
        "version": channel.version,
        "created_at": channel.created_at,
        "updated_at": channel.updated_at,
    }


def channel_of(row: RowMapping, settings: Mapping[str, object]) -> Channel:
    """The channel in a row of `channels`."""
    return Channel(**{**row, "owner": Owner(row["owner"]), "settings": settings})


def route_columns(route: Route) -> Columns:
    """A route as columns."""
    return {
        "id": route.id,
        "tenant": route.tenant,
        "name": route.name,
        "channels": _text(route.channels),
        "min_severity": route.min_severity.value,
        "kinds": _text(route.kinds),
        "tags": _text(route.tags),
        "monitors": _text(route.monitors),
        "events": _text(route.events),
        "enabled": route.enabled,
        "owner": route.owner.value,
        "version": route.version,
    }


def route_of(row: RowMapping) -> Route:
    """The route in a row of `routes`."""
    lists = {name: _strings.decode(row[name]) for name in ("channels", "kinds", "tags", "monitors")}
    return Route(
        **{
            **row,
            **lists,
            "events": _alert_events.decode(row["events"]),
            "min_severity": Severity(row["min_severity"]),
            "owner": Owner(row["owner"]),
        }
    )


def numbered(event: Event, number: int) -> Event:
    """The same event under its id."""
    return replace(event, id=number)
