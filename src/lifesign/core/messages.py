"""What is told: alerts, the messages they owe, and whom they go to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lifesign.core.model import DEFAULT_TENANT, Failure, Owner, Severity


class AlertState(StrEnum):
    """The life of an alert."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What happened to an alert; each is a thing people may be told."""

    FIRED = "fired"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A condition that needs attention. `key` is stable: one key has at most one open alert."""

    id: str
    key: str
    monitor_id: str
    tenant: str = DEFAULT_TENANT
    state: AlertState = AlertState.FIRING
    severity: Severity = Severity.HIGH
    title: str = ""
    failure: Failure | None = None
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An outbox row: one message that one channel is owed. Written with the change that causes it.

    `id` is also the message's idempotency key. `status` is pending, delivered, failed (given up) or dropped.
    """

    id: str
    tenant: str = DEFAULT_TENANT
    channel_id: str
    alert_id: str
    event: AlertEvent
    why: str
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    status: str = "pending"
    last_detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver: what was sent when, and what came back (the delivery log)."""

    delivery_id: str
    at: datetime
    number: int
    delivered: bool
    permanent: bool
    detail: str
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A place a message is sent to. `settings` is the channel kind's own settings as validated JSON."""

    id: str
    tenant: str = DEFAULT_TENANT
    name: str
    kind: str
    settings: Mapping[str, object]
    enabled: bool = True
    owner: Owner = Owner.API
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who is told about which alerts: every non-empty field must match (any one of its values)."""

    id: str
    tenant: str = DEFAULT_TENANT
    name: str
    channels: tuple[str, ...]
    min_severity: Severity = Severity.NOTICE
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    events: tuple[AlertEvent, ...] = ()
    enabled: bool = True
    owner: Owner = Owner.API
    version: int = 1
