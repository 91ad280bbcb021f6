"""The values that travel along the arrow: monitor, observation, run, verdict, alert.

Every value is frozen; a change makes a new one. Instants are aware UTC datetimes. Durations on
the hot path are floats whose unit is in the name (`_s` seconds, `_ms` milliseconds).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

Facts = Mapping[str, object]
"""What a probe saw, by dotted name: `{"status": 200, "tls.days_left": 61.5}`. JSON values only."""

DEFAULT_TENANT = "default"
DEFAULT_REGION = "local"


class State(StrEnum):
    """What a monitor is, as judged over all its regions; `maintenance` and `paused` are said, not seen."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    PAUSED = "paused"


class Severity(StrEnum):
    """How much an alert matters, mildest first (the internal scale that channels map from)."""

    NOTICE = "notice"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position on the scale: notice 0 … critical 4."""
        return _SEVERITY_RANK[self]


_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Level(StrEnum):
    """What a condition that does not hold, or a finding, does to the state."""

    FAIL = "fail"
    WARN = "warn"
    INFO = "info"


class Owner(StrEnum):
    """Where a monitor was written down; what a file owns is read-only everywhere else."""

    FILE = "file"
    API = "api"
    WEB = "web"
    CLI = "cli"
    DISCOVERY = "discovery"


class Reason(StrEnum):
    """The short public vocabulary of why something is not up (one word for pages and badges)."""

    CONNECTION_REFUSED = "connection_refused"
    PROTOCOL_ERROR = "protocol_error"
    TIMEOUT = "timeout"
    ERROR_RATE_ELEVATED = "error_rate_elevated"
    SCHEMA_DRIFT = "schema_drift"
    AUTH_WALLED = "auth_walled"
    CANARY_FAILED = "canary_failed"
    HEALTH_CHECK_FAILED = "health_check_failed"
    LATENCY_DEGRADED = "latency_degraded"
    CREDENTIAL_EXPIRED = "credential_expired"
    CONDITION_FAILED = "condition_failed"
    MISSED = "missed"
    REPORTED_FAILURE = "reported_failure"
    BLOCKED = "blocked"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that is wrong: a broken layer, a code within it, and what to do.

    `layer` is one of dns, tcp, tls, http, auth, credential, jsonrpc, discover, initialize, version, tools_list,
    shape, tools_call, resources, prompts, completion, session, stdio, health_url, latency, drift, heartbeat,
    condition, egress, internal. `message` says what was tried, on what and what happened;
    `remedy` what to do. Neither may hold a secret, URL userinfo or a raw body. `evidence` is at most
    2 kB of redacted proof.
    """

    layer: str
    code: str
    message: str
    reason: Reason = Reason.PROTOCOL_ERROR
    remedy: str = ""
    evidence: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is our own doing: nothing is known of the target then.

        That is a bug, a credential of ours that ran out, or a program that this installation may not start.
        """
        is_forbidden = self.layer == "stdio" and self.reason is Reason.BLOCKED
        return is_forbidden or self.layer in {"internal", "credential"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth saying that did not stop the probe: `fail` is down, `warn` degrades, `info` is only told.

    The rest means what it means in a `Failure`, which a finding becomes when it decides the state. The same matter that
    is seen twice, with other proof, is the same finding.
    """

    level: Level
    layer: str
    code: str
    message: str
    remedy: str = ""
    reason: Reason = Reason.PROTOCOL_ERROR
    evidence: str = field(default="", compare=False)

    @classmethod
    def of(cls, failure: Failure, level: Level) -> Self:
        """A failure that stands beside another one, or that is not so bad here."""
        return cls(
            level, failure.layer, failure.code, failure.message, failure.remedy, failure.reason,
            failure.evidence,
        )  # fmt: skip

    def as_failure(self) -> Failure:
        """What is wrong when this decides the state."""
        return Failure(self.layer, self.code, self.message, self.reason, self.remedy, self.evidence)


@dataclass(frozen=True, slots=True)
class Surface:
    """What a watched thing publishes and others rely on (an MCP server's tools, resources, prompts), by content.

    `digest` names the whole, `hashes` its parts (`names`, `struct`, `contract`, `full`, `tools`, `surface`). `document`
    is the canonical JSON that `digest` is made of; it is None while it is the one that this process handed over before.
    `audience` is a fingerprint of the credential it was shown to, empty for anybody.
    """

    digest: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    document: bytes | None = None
    audience: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one probe saw. It holds facts and never an opinion about them.

    `phases_ms` keeps the order in which the layers ran; a layer that was not reached is absent.
    `content` is what conditions may look into (body, headers, decoded JSON) but what is never stored.
    `surface` is what the target publishes, when its kind knows of such a thing and it could be read whole.
    """

    facts: Facts = field(default_factory=dict)
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    content: Mapping[str, object] = field(default_factory=dict)
    surface: Surface | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One condition held against the facts: what was expected, what was found."""

    text: str
    holds: bool
    found: str
    level: Level = Level.FAIL


@dataclass(frozen=True, slots=True)
class Outcome:
    """One observation assessed on its own: up, degraded, down or unknown, and the first reason why."""

    state: State
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one monitor in one region; (monitor, region, slot) names it, so twice is once.

    `duration_ms` is what the target took: its `latency_ms`, or the whole run where the kind does not tell one.
    `late_s` is how long after its due time the run began. `monitor_version` is the version that was run: the
    judge lets go of runs of an older one.
    """

    monitor_id: str
    slot: datetime
    observation: Observation
    outcome: Outcome
    started_at: datetime
    duration_ms: float
    tenant: str = DEFAULT_TENANT
    region: str = DEFAULT_REGION
    late_s: float = 0.0
    monitor_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How outcomes become a verdict.

    `confirmations` failed slots in a row make a monitor down, `recoveries` good ones bring it back.
    A first failure is run again after `recheck_s`. `quorum` regions must agree (capped at the number
    that reported). More than `flap_changes` changes of outcome within the last `flap_window` slots is
    flapping (0 turns it off). `degraded_ms`: slower than this is degraded. A changed surface becomes the new
    baseline by itself after `drift_accept_s` (None: only when somebody accepts it). A p95 of more than
    `latency_factor` times its baseline for three periods is told (None turns it off).
    """

    confirmations: int = 3
    recoveries: int = 2
    recheck_s: float = 10.0
    quorum: int = 1
    flap_changes: int = 6
    flap_window: int = 20
    degraded_ms: float | None = None
    drift_accept_s: float | None = 86_400.0
    latency_factor: float | None = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A thing that is watched: kind + settings + schedule + policy, owned by a tenant.

    `settings` is the kind's own settings as validated JSON; `conditions` are texts such as
    `status == 200` or `warn: tls.days_left > 14`. `version` counts changes (the ETag).
    """

    id: str
    name: str
    kind: str
    settings: Mapping[str, object]
    tenant: str = DEFAULT_TENANT
    slug: str = ""
    interval_s: float = 60.0
    timeout_s: float = 10.0
    conditions: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    severity: Severity = Severity.HIGH
    group: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    runbook_url: str = ""
    regions: tuple[str, ...] = (DEFAULT_REGION,)
    paused: bool = False
    owner: Owner = Owner.API
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorState:
    """What the judge remembers of a monitor between slots; a row that changes only when it must.

    `since` is when `state` began; it is unknown before the first result that counts, and again while nothing can be
    seen through our own fault (`failure` then says which). `bad` and `good` count consecutive outcomes (capped by the policy, so
    that a steady monitor never changes its row). `recent` holds the last outcomes, oldest first, one
    letter each (u up, g degraded, d down, ? unknown), for flapping. `regions` maps a region to its newest
    outcome's state. `suspect` is a first failure that is not confirmed yet.
    """

    monitor_id: str
    tenant: str = DEFAULT_TENANT
    state: State = State.UNKNOWN
    since: datetime
    bad: int = 0
    good: int = 0
    recent: str = ""
    flapping: bool = False
    suspect: bool = False
    failure: Failure | None = None
    regions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of a monitor's state; the sum of these is its exact uptime."""

    monitor_id: str
    tenant: str = DEFAULT_TENANT
    at: datetime
    before: State
    after: State
    failure: Failure | None = None
