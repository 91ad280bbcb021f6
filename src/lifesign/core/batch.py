"""What happened, and the batch in which one commit writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lifesign.core.drift.values import Drift, SurfaceChange
from lifesign.core.messages import Alert, Delivery
from lifesign.core.model import DEFAULT_REGION, DEFAULT_TENANT, MonitorState, Run, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened and that people may want to hear of, live or later.

    `id` grows without gaps in order of commit and is 0 until stored. `type` is dotted: `monitor.state`,
    `monitor.added`, `monitor.changed`, `monitor.removed`, `monitor.drift`, `alert.fired`, `alert.acknowledged`,
    `alert.resolved`, `delivery.sent`, `delivery.failed`.
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
class Snapshot:
    """The canonical document of one surface, kept under its digest: the same one is kept once per tenant."""

    tenant: str = DEFAULT_TENANT
    digest: str
    document: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The lines of a surface's timeline that were drift until `at` are so no longer, because of `by`.

    `by` is what `SurfaceChange.accepted_by` says: a person, `release …`, `auto`, or `reverted` when the surface went
    back to its baseline by itself.
    """

    monitor_id: str
    region: str = DEFAULT_REGION
    audience: str = ""
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Everything one commit writes; all of it or nothing.

    A batch with transitions, alerts, deliveries, events, pings or changes of surfaces is durable before it returns
    (fsync); one that holds runs, states and what is remembered of surfaces may lose its last moments to a power cut,
    never to a kill.
    """

    runs: tuple[Run, ...] = ()
    states: tuple[MonitorState, ...] = ()
    transitions: tuple[Transition, ...] = ()
    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    events: tuple[Event, ...] = ()
    pings: tuple[Ping, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    drifts: tuple[Drift, ...] = ()
    surface_changes: tuple[SurfaceChange, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    """Written after `surface_changes`, so that a line of the same batch can be settled as well."""
