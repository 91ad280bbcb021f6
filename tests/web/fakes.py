"""An in-memory Services for the pages: varied monitors, alerts and channels, no storage and no engine."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lifesign.channels.registry import ChannelKind, ChannelKinds, Receipt
from lifesign.clock import FakeClock
from lifesign.core.errors import InvalidError, NotFoundError, UnauthenticatedError
from lifesign.core.model import (
    AlertEvent,
    AlertState,
    Check,
    Event,
    Failure,
    Finding,
    Level,
    Observation,
    Owner,
    Policy,
    Reason,
    Route,
    Severity,
    State,
)
from lifesign.core.scope import Grant, Scope
from lifesign.probes.registry import Kind, Kinds
from lifesign.service.channels import DeliveryResult
from lifesign.service.services import Services
from lifesign.service.views import (
    AlertView,
    ChannelView,
    DayView,
    DeliveryView,
    Health,
    HistoryView,
    MonitorView,
    Page,
    RunView,
    SeriesPoint,
    TokenView,
    Trial,
)
from lifesign.store.values import AlertQuery, MonitorQuery

NOW = datetime(2026, 11, 20, 14, 4, 30, tzinfo=UTC)
SESSION = "session-of-ada"
READER = "session-of-a-reader"
PASSWORD = "correct horse battery"
NASTY = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class BasicAuth(BaseModel):
    """A name and a password sent with every request."""

    username: str = Field(default="", description="The user's name.")
    password: SecretStr = Field(default=SecretStr(""), description="The password.")


class HttpSettings(BaseModel):
    """Asks a web address and looks at the answer."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        description="The address, with http:// or https://.",
        examples=["https://example.com/health"],
    )
    method: Literal["GET", "HEAD", "POST"] = Field(default="GET", description="How it is asked.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to send.")
    expect: list[str] = Field(default_factory=list, description="Status codes that are fine.")
    redirects: int = Field(default=5, description="How many redirects are followed.")
    verify_tls: bool = Field(default=True, description="Whether the certificate must be valid.")
    token: SecretStr | None = Field(default=None, description="A bearer token.")
    slow: timedelta = Field(default=timedelta(seconds=1), description="Slower than this is slow.")
    auth: BasicAuth | None = Field(default=None, description="Basic authentication.")
    body: dict[str, object] = Field(default_factory=dict, description="A JSON body.")


class TcpSettings(BaseModel):
    """Opens a connection to a port."""

    host: str = Field(description="Name or address.")
    port: int = Field(description="1 to 65535.")


class McpSettings(BaseModel):
    """Speaks the Model Context Protocol to a server: handshake, then its list of tools."""

    url: str = Field(description="The endpoint.")
    token: SecretStr | None = Field(default=None, description="A bearer token.")


class HeartbeatSettings(BaseModel):
    """Expects pings from a job and tells when one is missing."""

    period: timedelta = Field(default=timedelta(days=1), description="A ping is due this often.")


class WebhookSettings(BaseModel):
    """Posts a signed JSON message to an address of yours."""

    url: str = Field(description="Where it is posted to.", examples=["https://example.com/hook"])
    secret: SecretStr = Field(description="The key that signs.")


class NoFacts(BaseModel):
    """Nothing."""


async def _run(_settings: BaseModel, _ctx: object) -> Observation:
    return Observation()


def _http_guess(text: str) -> Mapping[str, object] | None:
    return {"url": text} if text.startswith(("http://", "https://")) else None


def _tcp_guess(text: str) -> Mapping[str, object] | None:
    host, _, port = text.partition(":")
    return {"host": host, "port": int(port)} if port.isdigit() else None


def _kind(
    name: str,
    title: str,
    settings: type[BaseModel],
    *,
    ladder: tuple[str, ...],
    passive: bool = False,
    guess: object = lambda _text: None,
) -> Kind:
    return Kind(
        name=name, title=title, settings=settings, facts=NoFacts, run=_run,
        implied=lambda _settings: (), target=str, ladder=ladder, passive=passive,
        policy=Policy(), interval_s=60.0, guess=guess,  # type: ignore[arg-type]
    )  # fmt: skip


def fake_kinds() -> Kinds:
    """Four kinds, of which one is passive; their settings have every shape that a form knows."""
    return Kinds(
        {
            "http": _kind("http", "Web address", HttpSettings, ladder=("dns", "tcp", "tls", "send", "first_byte", "transfer"), guess=_http_guess),
            "tcp": _kind("tcp", "TCP port", TcpSettings, ladder=("dns", "tcp"), guess=_tcp_guess),
            "mcp": _kind("mcp", "MCP server", McpSettings, ladder=("dns", "tcp", "tls", "http", "initialize", "initialized", "tools_list", "tools_call")),
            "heartbeat": _kind("heartbeat", "Heartbeat", HeartbeatSettings, ladder=(), passive=True),
        }
    )  # fmt: skip


async def _send(*_args: object) -> Receipt:
    return Receipt(delivered=True)


def fake_channel_kinds() -> ChannelKinds:
    """One kind of channel, with a secret."""
    webhook = ChannelKind(
        name="webhook", title="Webhook", settings=WebhookSettings, send=_send, target=str
    )
    return ChannelKinds({"webhook": webhook})


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


def _monitors() -> list[MonitorView]:
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
        monitor("github", kind="mcp", target="https://api.githubcopilot.com/mcp/", group="Third-party MCP servers", p95_ms_24h=311.0),
        monitor("stripe", kind="mcp", target="https://mcp.stripe.com", group="Third-party MCP servers", p95_ms_24h=265.0, flapping=True),
        monitor("staging", State.PAUSED, uptime_24h=None, p95_ms_24h=None),
        monitor("new-one", State.UNKNOWN, since=None, last_run=None, uptime_24h=None, p95_ms_24h=None),
        monitor("nasty", name=NASTY, tags=("a<b",), group="", target=NASTY, description=NASTY, last_run=run(State.UP, phases=HTTP_PHASES, facts={"title": NASTY}, checks=(Check(NASTY, True, NASTY),))),
    ]  # fmt: skip


def _alerts() -> list[AlertView]:
    def alert(number: int, of: MonitorView, **more: object) -> AlertView:
        base = AlertView(
            id=f"alert-{number}", key=f"{of.id}:state", state=AlertState.FIRING, severity=of.severity,
            title=f"{of.name} is {of.state.value}", failure=of.failure, opened_at=of.since or NOW,
            updated_at=of.since or NOW, acknowledged_at=None, acknowledged_by="", resolved_at=None,
            monitor_id=of.id, monitor_name=of.name, monitor_slug=of.slug, monitor_kind=of.kind,
        )  # fmt: skip
        return replace(base, **more)  # type: ignore[arg-type]

    all_ = {one.slug: one for one in _monitors()}
    past = NOW - timedelta(days=3)
    return [
        alert(1, all_["billing-tools"]),
        alert(2, all_["search-api"], state=AlertState.ACKNOWLEDGED, acknowledged_by="grace@example.com", acknowledged_at=NOW - timedelta(minutes=30)),
        alert(3, all_["api"], state=AlertState.RESOLVED, opened_at=past, resolved_at=past + timedelta(minutes=4, seconds=12), failure=Failure("tcp", "refused", "Connecting to api.example.com:443 was refused.", Reason.CONNECTION_REFUSED, "See whether the server runs.")),
        alert(4, all_["nasty"], state=AlertState.RESOLVED, opened_at=past, resolved_at=past + timedelta(hours=2), failure=Failure("http", "status_500", NASTY, Reason.PROTOCOL_ERROR, NASTY, NASTY)),
    ]  # fmt: skip


def _events() -> tuple[Event, ...]:
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


@dataclass
class FakeMonitors:
    rows: list[MonitorView] = field(default_factory=_monitors)
    calls: list[tuple[str, object]] = field(default_factory=list)
    refuse: InvalidError | None = None

    async def list(self, _scope: Scope, query: MonitorQuery) -> Page[MonitorView]:
        self.calls.append(("list", query))
        found = [
            one for one in self.rows
            if (not query.states or one.state in query.states)
            and (not query.kind or one.kind == query.kind)
            and (not query.tag or query.tag in one.tags)
            and (not query.group or one.group == query.group)
            and query.text.lower() in one.name.lower()
        ]  # fmt: skip
        start = int(query.cursor or 0)
        end = start + query.limit
        return Page(tuple(found[start:end]), str(end) if end < len(found) else None, len(found))

    async def get(self, _scope: Scope, id_or_slug: str) -> MonitorView:
        for one in self.rows:
            if id_or_slug in (one.id, one.slug):
                return one
        raise NotFoundError(f"There is no monitor {id_or_slug}.", remedy="See the overview.")

    async def history(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime,
        until: datetime,
        points: int = 120,
        days: int = 90,
    ) -> HistoryView:
        one = await self.get(scope, id)
        rng = random.Random(id)
        step = (until - since) / max(points, 1)
        empty = one.last_run is None
        series = tuple(
            _point(since + step * i, rng, one, last=i >= points - 3, empty=empty)
            for i in range(points)
        )
        bars = tuple(_day(i, days, rng, one) for i in range(days))
        known = None if empty else 1.0
        return HistoryView(
            monitor_id=one.id, since=since, until=until, uptime=one.uptime_24h, down_s=360.0,
            p50_ms=known and 96.0, p95_ms=known and 143.0, p99_ms=known and 201.4, points=series, days=bars,
        )  # fmt: skip

    async def runs(
        self, scope: Scope, id: str, *, limit: int = 50, cursor: str | None = None, **_more: object
    ) -> Page[RunView]:
        one = await self.get(scope, id)
        if one.last_run is None:
            return Page(())
        good = replace(
            one.last_run,
            state=State.UP,
            failure=None,
            findings=(),
            checks=(Check("status == 200", True, "200"),),
        )
        start = int(cursor or 0)
        runs = [
            replace(
                one.last_run if start + i < 4 else good,
                started_at=NOW - timedelta(seconds=12 + 60 * (start + i)),
            )
            for i in range(limit)
        ]
        return Page(tuple(runs), str(start + limit) if start < 100 else None)

    async def add(self, _scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> MonitorView:
        self.calls.append(("add", dict(draft)))
        if self.refuse:
            raise self.refuse
        made = monitor(
            "added",
            name=str(draft.get("name") or "added"),
            kind=str(draft["kind"]),
            owner=owner,
            last_run=None,
        )
        self.rows.append(made)
        return made

    async def update(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> MonitorView:
        self.calls.append(
            ("update", dict(changes) | {"expected_version": expected_version, "owner": owner})
        )
        return await self.get(scope, id)

    async def remove(self, scope: Scope, id: str) -> None:
        self.rows.remove(await self.get(scope, id))

    async def pause(self, scope: Scope, id: str) -> MonitorView:
        return await self._put(scope, id, state=State.PAUSED, paused=True)

    async def resume(self, scope: Scope, id: str) -> MonitorView:
        return await self._put(scope, id, state=State.UP, paused=False)

    async def run_now(self, _scope: Scope, id: str) -> None:
        self.calls.append(("run_now", id))

    async def _put(self, scope: Scope, id: str, **changes: object) -> MonitorView:
        one = await self.get(scope, id)
        changed = replace(one, **changes)  # type: ignore[arg-type]
        self.rows[self.rows.index(one)] = changed
        return changed


def _point(
    at: datetime, rng: random.Random, one: MonitorView, *, last: bool, empty: bool
) -> SeriesPoint:
    names = one.last_run.phases_ms if one.last_run else {}
    gap = empty or rng.random() > 0.97
    spike = 2.4 if rng.random() > 0.96 else 1.0
    phases = (
        {}
        if gap
        else {
            name: round(value * rng.uniform(0.8, 1.25) * spike, 2) for name, value in names.items()
        }
    )
    total = sum(phases.values())
    down = 15 if last and one.state is State.DOWN and not gap else 0
    return SeriesPoint(
        at=at, count=0 if gap else 15, up=0 if gap else 15 - down, degraded=0, down=down, unknown=0,
        p50_ms=None if gap else total, p95_ms=None if gap else total * 1.3,
        p99_ms=None if gap else total * 1.7, phases_ms=phases,
    )  # fmt: skip


def _day(index: int, days: int, rng: random.Random, one: MonitorView) -> DayView:
    day = (NOW - timedelta(days=days - 1 - index)).date().isoformat()
    total = 86_400.0
    if one.last_run is None or index < days // 12:
        return DayView(
            day=day, up_s=0, degraded_s=0, down_s=0, maintenance_s=0, paused_s=0, unknown_s=0
        )
    down = float(rng.choice((0,) * 30 + (65, 1800))) + (
        360.0 if index == days - 1 and one.state is State.DOWN else 0
    )
    slow = float(rng.choice((0,) * 25 + (2460,)))
    kept = float(rng.choice((0,) * 60 + (7200,)))
    return DayView(
        day=day,
        up_s=total - down - slow - kept,
        degraded_s=slow,
        down_s=down,
        maintenance_s=kept,
        paused_s=0,
        unknown_s=0,
    )


@dataclass
class FakeAlerts:
    rows: list[AlertView] = field(default_factory=_alerts)

    async def list(self, _scope: Scope, query: AlertQuery) -> Page[AlertView]:
        found = [
            one
            for one in self.rows
            if (not query.states or one.state in query.states)
            and query.monitor_id in ("", one.monitor_id)
        ]
        return Page(tuple(found[: query.limit]))

    async def get(self, _scope: Scope, id: str) -> AlertView:
        for one in self.rows:
            if one.id == id:
                return one
        raise NotFoundError(f"There is no alert {id}.")

    async def acknowledge(self, scope: Scope, id: str, *, by: str) -> AlertView:
        one = await self.get(scope, id)
        taken = replace(one, state=AlertState.ACKNOWLEDGED, acknowledged_by=by, acknowledged_at=NOW)
        self.rows[self.rows.index(one)] = taken
        return taken

    async def deliveries(self, _scope: Scope, id: str) -> tuple[DeliveryView, ...]:
        def delivery(number: int, **more: object) -> DeliveryView:
            base = DeliveryView(
                id=f"d{number}", alert_id=id, channel_id="c1", channel_name="#ops", event="fired",
                why="route “everything”: severity critical is at least notice", status="delivered",
                attempts=1, created_at=NOW - timedelta(minutes=6), due_at=NOW, last_detail="200 OK",
            )  # fmt: skip
            return replace(base, **more)  # type: ignore[arg-type]

        return (
            delivery(1),
            delivery(2, channel_name="on-call phone", status="pending", attempts=2, due_at=NOW + timedelta(seconds=40), last_detail="503, asked to wait 60 s"),
            delivery(3, channel_name="old list", status="failed", attempts=1, last_detail="550 no such user"),
        )  # fmt: skip


@dataclass
class FakeChannels:
    rows: list[ChannelView] = field(default_factory=lambda: [
        ChannelView(id="c1", name="#ops", kind="webhook", target="hooks.example.com", settings={"url": "https://hooks.example.com/ops", "secret": "***"}, enabled=True, owner=Owner.WEB, read_only=False, version=2),
        ChannelView(id="c2", name="on-call phone", kind="webhook", target="push.example.com", settings={"url": "https://push.example.com", "secret": "***"}, enabled=True, owner=Owner.FILE, read_only=True, version=1),
    ])  # fmt: skip
    route_rows: list[Route] = field(default_factory=lambda: [
        Route(id="r1", name="everything", channels=("c1",), owner=Owner.WEB),
        Route(id="r2", name="nights", channels=("c2", "c1"), min_severity=Severity.HIGH, kinds=("mcp",), tags=("prod",), events=(AlertEvent.FIRED,), owner=Owner.WEB),
    ])  # fmt: skip
    calls: list[tuple[str, object]] = field(default_factory=list)
    refuse: InvalidError | None = None

    def kinds(self) -> ChannelKinds:
        return fake_channel_kinds()

    async def list(self, _scope: Scope) -> tuple[ChannelView, ...]:
        return tuple(self.rows)

    async def get(self, _scope: Scope, id: str) -> ChannelView:
        for one in self.rows:
            if one.id == id:
                return one
        raise NotFoundError(f"There is no channel {id}.")

    async def add(self, _scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> ChannelView:
        self.calls.append(("add", dict(draft)))
        if self.refuse:
            raise self.refuse
        return replace(self.rows[0], name=str(draft["name"]), owner=owner)

    async def update(
        self, scope: Scope, id: str, changes: Mapping[str, object], **_more: object
    ) -> ChannelView:
        self.calls.append(("update", dict(changes)))
        return await self.get(scope, id)

    async def remove(self, scope: Scope, id: str) -> None:
        self.rows.remove(await self.get(scope, id))

    async def test(self, _scope: Scope, id: str) -> DeliveryResult:
        return DeliveryResult(
            delivered=id == "c1",
            detail="200 OK" if id == "c1" else "503 Service Unavailable",
            duration_ms=84.0,
        )

    async def try_settings(
        self, _scope: Scope, kind: str, settings: Mapping[str, object]
    ) -> DeliveryResult:
        self.calls.append(("try", dict(settings) | {"kind": kind}))
        return DeliveryResult(delivered=True, detail="204 No Content", duration_ms=31.0)

    async def list_routes(self, _scope: Scope) -> tuple[Route, ...]:
        return tuple(self.route_rows)

    async def add_route(self, _scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> Route:
        self.calls.append(("add_route", dict(draft) | {"owner": owner}))
        return self.route_rows[0]

    async def update_route(
        self, _scope: Scope, id: str, changes: Mapping[str, object], **_more: object
    ) -> Route:
        self.calls.append(("update_route", dict(changes) | {"id": id}))
        return self.route_rows[0]

    async def remove_route(self, _scope: Scope, id: str) -> None:
        self.route_rows = [route for route in self.route_rows if route.id != id]


@dataclass
class FakePeople:
    sessions: dict[str, Scope] = field(default_factory=lambda: {
        SESSION: Scope(actor="ada@example.com", grant=Grant.ADMIN),
        READER: Scope(actor="reader@example.com", grant=Grant.READ),
    })  # fmt: skip
    token: str | None = "setup-token"
    token_rows: list[TokenView] = field(default_factory=lambda: [
        TokenView(id="t1", name="ci", prefix="lsn_user_9fQ2", grant="read", created_at=NOW - timedelta(days=9), expires_at=NOW + timedelta(days=81), last_used_at=NOW - timedelta(minutes=2)),
        TokenView(id="t2", name="assistant", prefix="lsn_user_b71X", grant="operate", created_at=NOW - timedelta(days=40), expires_at=None, last_used_at=None),
    ])  # fmt: skip

    async def setup_token(self, _now: datetime) -> str | None:
        return self.token

    async def complete_setup(self, token: str, *, email: str, password: str) -> str:
        if token != self.token or len(password) < 12 or not email:
            raise InvalidError(
                "The set-up link or the password cannot be used.",
                remedy="Use twelve characters or more.",
            )
        self.token = None
        return SESSION

    async def log_in(self, email: str, password: str, *, remote: str) -> str:
        if password != PASSWORD or not email or not remote:
            raise UnauthenticatedError(
                "The e-mail address and the password do not belong together.", remedy="Try again."
            )
        return SESSION

    async def session(self, token: str) -> Scope:
        if token not in self.sessions:
            raise UnauthenticatedError("There is no such session.")
        return self.sessions[token]

    async def log_out(self, token: str) -> None:
        self.sessions.pop(token, None)

    async def create_token(
        self,
        _scope: Scope,
        *,
        name: str,
        grant: Grant,
        expires_in: timedelta | None,
        kind: str = "user",
    ) -> TokenView:
        made = TokenView(
            id="t3",
            name=name,
            prefix="lsn_user_new1",
            grant=grant.value,
            created_at=NOW,
            expires_at=NOW + expires_in if expires_in else None,
            last_used_at=None,
        )
        self.token_rows.append(made)
        return replace(made, secret=f"lsn_{kind}_new1SECRETSECRETSECRETSECRET12")

    async def tokens(self, _scope: Scope) -> tuple[TokenView, ...]:
        return tuple(self.token_rows)

    async def revoke_token(self, _scope: Scope, id: str) -> None:
        self.token_rows = [token for token in self.token_rows if token.id != id]


@dataclass
class FakeStatus:
    monitors: FakeMonitors
    alerts: FakeAlerts
    problems: tuple[str, ...] = ()

    async def health(self, _scope: Scope) -> Health:
        states: dict[str, int] = {}
        kinds: dict[str, int] = {}
        for one in self.monitors.rows:
            states[one.state] = states.get(one.state, 0) + 1
            kinds[one.kind] = kinds.get(one.kind, 0) + 1
        opened = [one for one in self.alerts.rows if one.state is not AlertState.RESOLVED]
        firing = [one for one in opened if one.state is AlertState.FIRING]
        return Health(
            version="0.1.0", started_at=NOW - timedelta(days=4), monitors=states, kinds=kinds,
            open_alerts=len(opened), unacknowledged_alerts=len(firing), late_p50_ms=0.4,
            late_p99_ms=3.1, late_max_ms=9.0, runs_total=123456, running=2, outbox_pending=1,
            storage="sqlite", storage_ok=True, database_bytes=412_000_000, problems=self.problems,
        )  # fmt: skip


@dataclass
class FakeLive:
    events: tuple[Event, ...] = field(default_factory=_events)
    news: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    async def recent(self, _scope: Scope, limit: int) -> tuple[Event, ...]:
        return self.events[:limit]

    async def follow(self, _scope: Scope, _after_id: int | None) -> AsyncIterator[Event]:
        while True:
            yield await self.news.get()


@dataclass
class FakeTrials:
    drafts: list[Mapping[str, object]] = field(default_factory=list)

    def guess(self, text: str) -> tuple[str, dict[str, object]] | None:
        if text.endswith("/mcp"):
            return "mcp", {"url": text}
        if (found := _http_guess(text)) is not None:
            return "http", dict(found)
        found = _tcp_guess(text)
        return ("tcp", dict(found)) if found is not None else None

    async def run(self, _scope: Scope, draft: Mapping[str, object]) -> Trial:
        self.drafts.append(draft)
        bad = "refused" in str(draft)
        failure = (
            Failure(
                "tcp",
                "refused",
                "Connecting to refused.example.com:443 was refused: nothing listens there.",
                Reason.CONNECTION_REFUSED,
                "Start the server, or check the port.",
            )
            if bad
            else None
        )
        return Trial(
            target="https://example.com", kind=str(draft["kind"]), state=State.DOWN if bad else State.UP,
            failure=failure, findings=(), checks=(Check("status == 200", not bad, "200" if not bad else ""),),
            phases_ms={"dns": 4.1} if bad else HTTP_PHASES, facts={"status": 200, "title": NASTY},
            started_at=NOW, duration_ms=84.0,
        )  # fmt: skip


@dataclass
class FakeServices:
    """The same names as `Services`; `as_services` says so to the type checker."""

    monitors: FakeMonitors = field(default_factory=FakeMonitors)
    alerts: FakeAlerts = field(default_factory=FakeAlerts)
    channels: FakeChannels = field(default_factory=FakeChannels)
    people: FakePeople = field(default_factory=FakePeople)
    live: FakeLive = field(default_factory=FakeLive)
    trials: FakeTrials = field(default_factory=FakeTrials)
    status: FakeStatus = field(init=False)

    def __post_init__(self) -> None:
        self.status = FakeStatus(self.monitors, self.alerts)

    def as_services(self) -> Services:
        return cast(Services, self)


def fake_clock() -> FakeClock:
    """A clock that stands at NOW."""
    return FakeClock(NOW)


def emptied(services: FakeServices) -> FakeServices:
    """The services of a Lifesign that watches nothing yet."""
    services.monitors.rows.clear()
    services.alerts.rows.clear()
    services.channels.rows.clear()
    services.channels.route_rows.clear()
    services.people.token_rows.clear()
    services.live.events = ()
    return services
