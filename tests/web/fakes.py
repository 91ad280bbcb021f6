"""An in-memory Services for the pages: no storage and no engine."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

from lifesign.channels.registry import ChannelKinds
from lifesign.clock import FakeClock
from lifesign.core.batch import Event
from lifesign.core.errors import InvalidError, NotFoundError, UnauthenticatedError
from lifesign.core.messages import AlertEvent, AlertState, Route
from lifesign.core.model import Check, Failure, Owner, Reason, Severity, State
from lifesign.core.paging import Page
from lifesign.core.scope import Grant, Scope
from lifesign.service.channels import DeliveryResult
from lifesign.service.services import Services
from lifesign.service.views import AlertView, ChannelView, DeliveryView, Health, TokenView, Trial
from lifesign.store.values import AlertQuery
from web.fake_kinds import (
    NASTY,
    NOW,
    PASSWORD,
    READER,
    SESSION,
    fake_channel_kinds,
    http_guess,
    tcp_guess,
)
from web.fake_monitors import FakeMonitors
from web.fake_surfaces import FakeSurfaces
from web.scene import (
    HTTP_PHASES,
    alerts_of_the_scene,
    events_of_the_scene,
)


@dataclass
class FakeAlerts:
    rows: list[AlertView] = field(default_factory=alerts_of_the_scene)

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
    events: tuple[Event, ...] = field(default_factory=events_of_the_scene)
    news: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    async def recent(self, _scope: Scope, limit: int) -> tuple[Event, ...]:
        return self.events[:limit]

    async def follow(self, _scope: Scope, _after_id: int | None) -> AsyncIterator[Event]:
        while True:
            yield await self.news.get()


@dataclass
class FakeTrials:
    drafts: list[Mapping[str, object]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def guess(self, text: str) -> tuple[str, dict[str, object]] | None:
        if text.endswith("/mcp"):
            return "mcp", {"url": text}
        if (found := http_guess(text)) is not None:
            return "http", dict(found)
        found = tcp_guess(text)
        return ("tcp", dict(found)) if found is not None else None

    async def run(self, _scope: Scope, draft: Mapping[str, object], *, id: str = "") -> Trial:
        self.drafts.append(draft)
        self.ids.append(id)
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
            target="https://example.com", kind=str(draft.get("kind", id)), state=State.DOWN if bad else State.UP,
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
    surfaces: FakeSurfaces = field(default_factory=FakeSurfaces)
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
