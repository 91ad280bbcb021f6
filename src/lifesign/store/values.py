"""What storage takes and gives besides the values of `core`: queries, pages, rows, summaries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from lifesign.core.batch import Ping
from lifesign.core.messages import AlertState, Attempt, Delivery
from lifesign.core.model import (
    Check,
    Failure,
    Finding,
    Monitor,
    MonitorState,
    Owner,
    Severity,
    State,
)
from lifesign.core.scope import Grant

Sort = Literal["worst", "name", "kind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorQuery:
    """Which monitors, in which order. Empty fields match everything; `text` looks into names, tags and groups."""

    kind: str = ""
    states: tuple[State, ...] = ()
    tag: str = ""
    group: str = ""
    owner: Owner | None = None
    text: str = ""
    sort: Sort = "worst"
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery:
    """Which alerts, newest first. Empty fields match everything; `severity` is the mildest that is wanted."""

    states: tuple[AlertState, ...] = ()
    severity: Severity | None = None
    monitor_id: str = ""
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """One run as kept: everything but the content that conditions looked into.

    `slot` and `started_at` are whole milliseconds.
    """

    monitor_id: str
    region: str
    slot: datetime
    started_at: datetime
    state: State
    duration_ms: float
    late_ms: float
    facts: Mapping[str, object] = field(default_factory=dict)
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()


LastRun = StoredRun


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """A monitor as a listing shows it: what it is, how it is, its newest run."""

    monitor: Monitor
    state: MonitorState | None
    last: StoredRun | None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Durations in milliseconds of the runs that were up or degraded; None where there was no such run."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long runs took within a window: as a whole, and each phase, in the order in which phases run.

    Phases that were summed up before there were histograms for them are in no percentile.
    """

    total: Percentiles
    phases: Mapping[str, Percentiles] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One step of a chart: all runs whose slot lies in `[at, at + width)`; `phases_ms` are means."""

    at: datetime
    width: timedelta
    count: int
    states: Mapping[State, int]
    latency: Percentiles
    phases_ms: Mapping[str, float]
    phases: Mapping[str, Percentiles] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Uptime:
    """Exact seconds in each state within a window, and what they come to.

    `no_data_s` is time before the monitor's first known state. `ratio` is
    1 − down / (up + degraded + down), a fraction; None when nothing was observed.
    """

    seconds: Mapping[State, float]
    no_data_s: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class DayBar:
    """One calendar day (UTC) in exact seconds; the current day ends now."""

    day: date
    uptime: Uptime


@dataclass(frozen=True, slots=True)
class Digest:
    """The short past of one monitor for a listing."""

    uptime: Uptime
    latency: Percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what was seen is kept; what is younger is never deleted."""

    raw: timedelta = timedelta(days=14)
    hourly: timedelta = timedelta(days=90)
    daily: timedelta = timedelta(days=730)
    transitions: timedelta = timedelta(days=1825)
    alerts: timedelta = timedelta(days=730)
    deliveries: timedelta = timedelta(days=90)
    events: timedelta = timedelta(days=30)
    pings: timedelta = timedelta(days=90)
    surfaces: timedelta = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """One delivery with every try that was made."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """What a heartbeat must remember over a restart. The pings come without their bodies.

    `running` are the starts since the newest completion of their own run, oldest first.
    """

    monitor_id: str
    tenant: str
    success: Ping | None = None
    fail: Ping | None = None
    start: Ping | None = None
    running: tuple[Ping, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in; `password_hash` is an argon2 string and never leaves the service."""

    id: str
    tenant: str
    email: str
    name: str = ""
    password_hash: str = field(repr=False)
    grant: Grant = Grant.ADMIN
    created_at: datetime
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser; it ends at `idle_until` unless used and at `expires_at` in any case."""

    id: str
    tenant: str
    user_id: str
    created_at: datetime
    seen_at: datetime
    idle_until: datetime
    expires_at: datetime
    remote: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A key for programs; the secret itself is stored as a hash only, `prefix` is what people recognise."""

    id: str
    tenant: str
    name: str
    prefix: str
    grant: Grant
    created_by: str = ""
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
