"""What happened, and the batch in which one commit writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lifesign.core.messages import Alert, Delivery
from lifesign.core.model import DEFAULT_TENANT, MonitorState, Run, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened and that people may want to hear of, live or later.

    `id` grows without gaps in order of commit and is 0 until stored. `type` is dotted: `monitor.state`,
    `monitor.added`, `monitor.changed`, `monitor.removed`, `alert.fired`, `alert.acknowledged`, `alert.resolved`,
    `delivery.sent`, `delivery.failed`.
    """

    type: str
    at: datetime
    tenant: str = DEFAULT_TENANT
    monitor_id: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One message from a job. `action` is success, start, fail, log or exit; `exit_status` 0-255 for exit."""

    monitor_id: str
    tenant: str = DEFAULT_TENANT
    at: datetime
    action: str
    exit_status: int | None = None
    run_id: str = ""
    body: bytes = b""
    method: str = "GET"
    remote: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Everything one commit writes; all of it or nothing.

    A batch with transitions, alerts, deliveries, events or pings is durable before it returns (fsync);
    one that holds runs and states alone may lose its last moments to a power cut, never to a kill.
    """

    runs: tuple[Run, ...] = ()
    states: tuple[MonitorState, ...] = ()
    transitions: tuple[Transition, ...] = ()
    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    events: tuple[Event, ...] = ()
    pings: tuple[Ping, ...] = ()
