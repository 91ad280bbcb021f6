"""What the four faces show: one shape a thing, made of stored values, with nothing secret in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lifesign.core.messages import Alert, AlertState
from lifesign.core.model import Check, Failure, Finding, Owner, Policy, Severity, State


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run: when, how it went, every phase, every condition with what was found."""

    slot: datetime
    started_at: datetime
    region: str
    state: State
    duration_ms: float
    late_ms: float
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorView:
    """A monitor as people see it: what it watches, how it is, since when and why.

    `settings` holds the kind's settings with every secret replaced by `***`. `state` is `paused` for a paused
    monitor. `uptime_24h` is a fraction (0 … 1) or None without data; `p95_ms_24h` milliseconds.
    """

    id: str
    slug: str
    name: str
    kind: str
    target: str
    state: State
    since: datetime | None
    failure: Failure | None
    flapping: bool
    suspect: bool
    paused: bool
    severity: Severity
    group: str
    tags: tuple[str, ...]
    description: str
    runbook_url: str
    interval_s: float
    timeout_s: float
    conditions: tuple[str, ...]
    policy: Policy
    settings: Mapping[str, object]
    regions: Mapping[str, str]
    owner: Owner
    read_only: bool
    version: int
    created_at: datetime | None
    updated_at: datetime | None
    last_run: RunView | None = None
    uptime_24h: float | None = None
    p95_ms_24h: float | None = None
    ping_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentilesView:
    """How long something took, over so many good runs, in milliseconds; None of no run."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One bucket of a response-time chart. Percentiles come from mergeable histograms; gaps have count 0.

    `phases_ms` are means and add up to the whole; `phases` are percentiles, which do not.
    """

    at: datetime
    count: int
    up: int
    degraded: int
    down: int
    unknown: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    phases_ms: Mapping[str, float]
    phases: Mapping[str, PercentilesView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    """One calendar day (UTC) in exact seconds; what is not covered was not watched."""

    day: str
    up_s: float
    degraded_s: float
    down_s: float
    maintenance_s: float
    paused_s: float
    unknown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """The past of one monitor: uptime and percentiles of the window, chart points, days."""

    monitor_id: str
    since: datetime
    until: datetime
    uptime: float | None
    down_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    points: tuple[SeriesPoint, ...]
    days: tuple[DayView, ...]
    phases: Mapping[str, PercentilesView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyWindow:
    """How long good runs took over a window (`24h`, `7d`, `30d`): as a whole, and each phase."""

    window: str
    total: PercentilesView
    phases: Mapping[str, PercentilesView]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyView:
    """What is usual of a monitor and what would be told as slow.

    `baseline_p95_ms` is the p95 of `baseline_runs` runs over `baseline_days` days (7, or 30 once they exist), None while
    too little is known. A p95 above `limit_ms` for three periods is told; None when there is no baseline or the
    monitor's policy turns it off.
    """

    monitor_id: str
    windows: tuple[LatencyWindow, ...]
    baseline_p95_ms: float | None
    baseline_runs: int
    baseline_days: int
    limit_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert with the monitor it is about."""

    id: str
    key: str
    state: AlertState
    severity: Severity
    title: str
    failure: Failure | None
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    monitor_id: str
    monitor_name: str
    monitor_slug: str
    monitor_kind: str

    @classmethod
    def of(cls, alert: Alert, *, name: str, slug: str, kind: str) -> "AlertView":
        """The view of a stored alert."""
        return cls(
            id=alert.id,
            key=alert.key,
            state=alert.state,
            severity=alert.severity,
            title=alert.title,
            failure=alert.failure,
            opened_at=alert.opened_at,
            updated_at=alert.updated_at,
            acknowledged_at=alert.acknowledged_at,
            acknowledged_by=alert.acknowledged_by,
            resolved_at=alert.resolved_at,
            monitor_id=alert.monitor_id,
            monitor_name=name,
            monitor_slug=slug,
            monitor_kind=kind,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """What one channel was owed for one alert event, and how far that got."""

    id: str
    alert_id: str
    channel_id: str
    channel_name: str
    event: str
    why: str
    status: str
    attempts: int
    created_at: datetime
    due_at: datetime
    last_detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """A channel with its secrets replaced by `***`."""

    id: str
    name: str
    kind: str
    target: str
    settings: Mapping[str, object]
    enabled: bool
    owner: Owner
    read_only: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate that some monitor met on its last run."""

    monitor_id: str
    monitor_name: str
    target: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: datetime | None
    days_left: float | None
    fingerprint_sha256: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatView:
    """A job that reports: when it last did, when it must again, and the address it reports to."""

    monitor: MonitorView
    ping_url: str
    last_ping_at: datetime | None
    last_action: str
    due_at: datetime | None
    overdue_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How Lifesign itself is: counts of monitors by state and kind, open alerts, lateness, storage."""

    version: str
    started_at: datetime
    monitors: Mapping[str, int]
    kinds: Mapping[str, int]
    open_alerts: int
    unacknowledged_alerts: int
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    runs_total: int
    running: int
    outbox_pending: int
    storage: str
    storage_ok: bool
    database_bytes: int | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """An API token; the secret itself is shown once, when it is made."""

    id: str
    name: str
    prefix: str
    grant: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One probe run on the spot, nothing saved: what a form's *try it* and `lifesign probe` show."""

    target: str
    kind: str
    state: State
    failure: Failure | None
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    phases_ms: Mapping[str, float]
    facts: Mapping[str, object]
    started_at: datetime
    duration_ms: float
    settings: Mapping[str, object] = field(default_factory=dict)
