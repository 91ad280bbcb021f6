"""What the fakes show: monitors in every state, alerts, and what happened."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from lifesign.core.batch import Event
from lifesign.core.messages import AlertState
from lifesign.core.model import (
    Check,
    Failure,
    Finding,
    Level,
    Owner,
    Policy,
    Reason,
    Severity,
    State,
)
from lifesign.service.views import (
    AlertView,
    MonitorView,
    RunView,
)
from web.fake_kinds import NASTY, NOW

REFUSED = Failure(
    "tools_list",
    "internal_32603",
    'The server answered tools/list with an internal error: relation "invoices" does not exist.',
    Reason.PROTOCOL_ERROR,
    "The handshake is good, so the process is up and something it needs is not. Look at migrations or the environment of the last release.",
    '{"jsonrpc":"2.0","id":3,"error":{"code":-32603,"message":"relation \\"invoices\\" does not exist"}}',
)
SLOW = Failure(
    "condition",
    "condition_failed",
    "latency_ms < 800ms does not hold: 1,240 ms were found.",
    Reason.CONDITION_FAILED,
    "Look at what is slow: the first byte took 1,105 ms of it.",
)


def monitor(slug: str, state: State = State.UP, **more: object) -> MonitorView:
    """A monitor view with sensible rest."""
    base = MonitorView(
        id=f"id-{slug}", slug=slug, name=slug, kind="http", target=f"https://{slug}.example.com/",
        state=state, since=NOW - timedelta(days=12), failure=None, flapping=False, suspect=False,
        paused=state is State.PAUSED, severity=Severity.HIGH, group="", tags=(), description="",
        runbook_url="", interval_s=60.0, timeout_s=10.0, conditions=(), policy=Policy(),
        settings={"url": f"https://{slug}.example.com/"}, regions={"local": state.value},
        owner=Owner.WEB, read_only=False, version=3, created_at=NOW - timedelta(days=200),
        updated_at=NOW - timedelta(days=2), uptime_24h=0.9999, p95_ms_24h=84.2,
        last_run=run(State.UP, phases=HTTP_PHASES),
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


HTTP_PHASES = {
    "dns": 3.9,
    "tcp": 10.6,
    "tls": 24.2,
    "send": 0.4,
    "first_byte": 41.7,
    "transfer": 3.1,
}
MCP_PHASES = {
    "dns": 3.9,
    "tcp": 10.6,
    "tls": 24.2,
    "http": 12.0,
    "initialize": 48.1,
    "initialized": 6.2,
}


def run(
    state: State, *, phases: Mapping[str, float], back_s: float = 12, **more: object
) -> RunView:
    """A run view that many seconds ago."""
    at = NOW - timedelta(seconds=back_s)
    base = RunView(
        slot=at, started_at=at, region="local", state=state,
        duration_ms=sum(phases.values()) or 12.5, late_ms=0.4, phases_ms=phases,
        facts={"status": 200, "http_version": "2", "tls.days_left": 61.5, "bytes": 1824, "server": "nginx/1.28"},
        checks=(Check("status == 200", True, "200"),),
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


SERVER_FACTS = {
    "era": "legacy", "transport": "http", "framing": "sse", "protocol_version": "2025-11-25",
    "server.name": "github", "server.version": NASTY, "auth.state": "healthy", "session": True,
    "capabilities": ["prompts", "tools"], "tools.count": 3, "surface.digest": "v1:" + "0a" * 32,
    "credential.expires_at": (NOW + timedelta(hours=7)).isoformat(), "credential.source": "jwt",
    "canary.search.state": "down", "canary.search.duration_ms": 812.5,
    "canary.search.checked_at": (NOW - timedelta(minutes=2)).isoformat(),
    "health.backend.state": "degraded", "health.backend.status": 200, "health.backend.said": "degraded",
    "health.backend.components.database": "up", "health.backend.components.queue": "down",
    "resources.state": "up", "resources.uri": "lifesign://status", "resources.age_s": 41.0,
    "stream.state": "up", "stream.first_progress_ms": 51.2,
}  # fmt: skip
"""What a run of an MCP server saw."""
WALLED_FACTS = {"http.status": 401, "auth.state": "required", "auth.s256": True}


def monitors_of_the_scene() -> list[MonitorView]:
    down = run(
        State.DOWN, phases=MCP_PHASES, failure=REFUSED, checks=(),
        facts={"server.name": "billing-tools", "server.version": "2.14.0", "protocol": "2025-11-25"},
    )  # fmt: skip
    slow = run(
        State.DEGRADED, phases=HTTP_PHASES | {"first_byte": 1105.0}, failure=SLOW,
        checks=(
            Check("status == 200", True, "200"),
            Check("warn: latency_ms < 800ms", False, "1240", Level.WARN),
        ),
        findings=(Finding(Level.WARN, "tls", "expires_soon", "The certificate ends in 13 days.", "Renew it, or find out why the automatic renewal did not happen."),),
    )  # fmt: skip
    return [
        monitor("billing-tools", State.DOWN, kind="mcp", target="https://mcp.example.com/billing", since=NOW - timedelta(minutes=6), failure=REFUSED, group="Production", tags=("prod", "payments"), severity=Severity.CRITICAL, last_run=down, uptime_24h=0.9971, p95_ms_24h=143.0, runbook_url="https://wiki.example.com/billing", description="Invoices and refunds, used by the support assistant."),
        monitor("search-api", State.DEGRADED, since=NOW - timedelta(minutes=41), failure=SLOW, group="Production", tags=("prod",), last_run=slow, uptime_24h=0.9923, p95_ms_24h=1240.0, conditions=("status == 200", "warn: latency_ms < 800ms"), owner=Owner.FILE, read_only=True),
        monitor("warehouse", State.MAINTENANCE, since=NOW - timedelta(minutes=20), group="Production", p95_ms_24h=212.0, uptime_24h=0.99984),
        monitor("api", group="Production", tags=("prod", "edge"), uptime_24h=0.999987),
        monitor("nightly-backup", kind="heartbeat", target="every 1d, grace 1h", group="Production", ping_url="https://watch.example.com/ping/6a1f0c8e-2b7d-4f3a-9d59-0c9f4c2b7a11", uptime_24h=1.0, p95_ms_24h=None, last_run=None),
        monitor("postgres", kind="tcp", target="db.example.com:5432", group="Production", p95_ms_24h=2.1, uptime_24h=1.0, suspect=True),
        monitor("github", kind="mcp", target="https://api.githubcopilot.com/mcp/", group="Third-party MCP servers", p95_ms_24h=311.0, last_run=run(State.UP, phases=MCP_PHASES | {"tools_list": 9.0}, facts=SERVER_FACTS, checks=())),
        monitor("stripe", kind="mcp", target="https://mcp.stripe.com", group="Third-party MCP servers", p95_ms_24h=265.0, flapping=True, last_run=run(State.UP, phases={"dns": 1.0, "tcp": 2.0, "http": 3.0}, facts=WALLED_FACTS, checks=())),
        monitor("staging", State.PAUSED, uptime_24h=None, p95_ms_24h=None),
        monitor("new-one", State.UNKNOWN, since=None, last_run=None, uptime_24h=None, p95_ms_24h=None),
        monitor("nasty", name=NASTY, tags=("a<b",), group="", target=NASTY, description=NASTY, last_run=run(State.UP, phases=HTTP_PHASES, facts={"title": NASTY}, checks=(Check(NASTY, True, NASTY),))),
    ]  # fmt: skip


def alerts_of_the_scene() -> list[AlertView]:
    def alert(number: int, of: MonitorView, **more: object) -> AlertView:
        base = AlertView(
            id=f"alert-{number}", key=f"monitor/{of.id}", state=AlertState.FIRING, severity=of.severity,
            title=f"{of.name} is {of.state.value}", failure=of.failure, opened_at=of.since or NOW,
            updated_at=of.since or NOW, acknowledged_at=None, acknowledged_by="", resolved_at=None,
            monitor_id=of.id, monitor_name=of.name, monitor_slug=of.slug, monitor_kind=of.kind,
        )  # fmt: skip
        return replace(base, **more)  # type: ignore[arg-type]

    all_ = {one.slug: one for one in monitors_of_the_scene()}
    past = NOW - timedelta(days=3)
    return [
        alert(1, all_["billing-tools"]),
        alert(2, all_["search-api"], state=AlertState.ACKNOWLEDGED, acknowledged_by="grace@example.com", acknowledged_at=NOW - timedelta(minutes=30)),
        alert(5, all_["billing-tools"], key="drift/id-billing-tools", severity=Severity.HIGH, title="billing-tools: published surface changed", failure=Failure("drift", "tool_removed", "Tool ‘wait’ was removed.", Reason.SCHEMA_DRIFT, "Compare the two surfaces."), state=AlertState.ACKNOWLEDGED, acknowledged_by="ada@example.com", acknowledged_at=NOW),
        alert(6, all_["github"], key="credential/id-github", severity=Severity.MEDIUM, title="github: credential expires", failure=Failure("credential", "expiring", "The credential expires in 7 h.", Reason.CREDENTIAL_EXPIRED, "Give it a new one."), state=AlertState.ACKNOWLEDGED, acknowledged_by="ada@example.com", acknowledged_at=NOW),
        alert(7, all_["stripe"], key="latency/id-stripe", severity=Severity.MEDIUM, title="stripe: slower than usual", failure=Failure("latency", "slow", "The p95 is 3.4 times the usual one.", Reason.LATENCY_DEGRADED, "Look at `http`."), state=AlertState.ACKNOWLEDGED, acknowledged_by="ada@example.com", acknowledged_at=NOW),
        alert(3, all_["api"], state=AlertState.RESOLVED, opened_at=past, resolved_at=past + timedelta(minutes=4, seconds=12), failure=Failure("tcp", "refused", "Connecting to api.example.com:443 was refused.", Reason.CONNECTION_REFUSED, "See whether the server runs.")),
        alert(4, all_["nasty"], state=AlertState.RESOLVED, opened_at=past, resolved_at=past + timedelta(hours=2), failure=Failure("http", "status_500", NASTY, Reason.PROTOCOL_ERROR, NASTY, NASTY)),
    ]  # fmt: skip


def events_of_the_scene() -> tuple[Event, ...]:
    def event(minutes: float, type: str, slug: str = "", **data: object) -> Event:
        named = {"name": slug, "slug": slug} if slug else {}
        return Event(
            type=type,
            at=NOW - timedelta(minutes=minutes),
            monitor_id=f"id-{slug}",
            data=named | data,
            id=1,
        )

    return (
        event(3, "delivery.sent", "billing-tools", channel="#ops", event="fired"),
        event(6, "alert.fired", "billing-tools"),
        event(6, "monitor.state", "billing-tools", before="up", state="down", failure={"layer": "tools_list", "message": REFUSED.message}),
        event(30, "alert.acknowledged", "search-api", by="grace@example.com"),
        event(41, "monitor.state", "search-api", before="up", state="degraded", failure={"layer": "condition", "message": SLOW.message}),
        event(72, "monitor.added", "new-one"),
        event(90, "monitor.state", "github", before="down", state="up", failure=None),
        event(95, "delivery.failed", channel="on-call phone", detail="550 no such user"),
    )  # fmt: skip
