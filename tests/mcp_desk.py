"""A small faithful desk of services in memory, for tests of the face for assistants."""

# ruff: noqa: ARG002 - it takes what the services take
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from lifesign.core.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from lifesign.core.messages import AlertState
from lifesign.core.model import Check, Failure, Owner, Policy, Reason, Severity, State
from lifesign.core.paging import Page
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.services import Services
from lifesign.service.views import (
    AlertView,
    CertificateView,
    Health,
    HeartbeatView,
    HistoryView,
    MonitorView,
    RunView,
    SeriesPoint,
)
from lifesign.store.values import AlertQuery, MonitorQuery

T = TypeVar("T")

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
READER, OPERATOR = "lsn_user_reader", "lsn_user_operator"


def paged(items: Sequence[T], limit: int, cursor: str | None) -> Page[T]:
    """Pages as the store gives them: the cursor is opaque and absent on the last page."""
    if cursor is not None and not cursor.isdigit():
        raise InvalidError(
            "The cursor does not belong to this listing.",
            remedy="Ask for the first page again, without a cursor.",
        )
    start = int(cursor or 0)
    more = start + limit < len(items)
    return Page(tuple(items[start : start + limit]), str(start + limit) if more else None)


def a_failure(message: str = "Connection refused by 127.0.0.1:81.") -> Failure:
    return Failure("tcp", "refused", message, Reason.CONNECTION_REFUSED, "Start the service.")


def a_monitor(number: int, **changes: Any) -> MonitorView:
    view = MonitorView(
        id=f"mon_{number}",
        slug=f"shop-{number}",
        name=f"Shop {number}",
        kind="http",
        target=f"https://shop-{number}.example/",
        state=State.UP,
        since=NOW - timedelta(hours=1),
        failure=None,
        flapping=False,
        suspect=False,
        paused=False,
        severity=Severity.HIGH,
        group="",
        tags=("web",),
        description="",
        runbook_url="",
        interval_s=60.0,
        timeout_s=10.0,
        conditions=(),
        policy=Policy(),
        settings={},
        regions={},
        owner=Owner.API,
        read_only=False,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        uptime_24h=0.9987654321,
        p95_ms_24h=123.456,
    )
    return replace(view, **changes)


def a_run(number: int, *, state: State = State.UP, failure: Failure | None = None) -> RunView:
    at = NOW - timedelta(minutes=number)
    checks = (Check("status == 200", state is State.UP, "503"),)
    return RunView(
        slot=at,
        started_at=at,
        region="local",
        state=state,
        duration_ms=12.345,
        late_ms=1.0,
        phases_ms={"dns": 1.23, "connect": 2.0},
        failure=failure,
        checks=checks,
    )


def an_alert(number: int, **changes: Any) -> AlertView:
    view = AlertView(
        id=f"alr_{number}",
        key=f"mon_{number}:state",
        state=AlertState.FIRING,
        severity=Severity.HIGH,
        title=f"Shop {number} is down: tcp / refused",
        failure=a_failure(),
        opened_at=NOW - timedelta(minutes=5),
        updated_at=NOW,
        acknowledged_at=None,
        acknowledged_by="",
        resolved_at=None,
        monitor_id=f"mon_{number}",
        monitor_name=f"Shop {number}",
        monitor_slug=f"shop-{number}",
        monitor_kind="http",
    )
    return replace(view, **changes)


@dataclass
class Desk:
    """The services in memory: it plays each of them."""

    items: list[MonitorView] = field(default_factory=list)
    run_items: list[RunView] = field(default_factory=list)
    alert_items: list[AlertView] = field(default_factory=list)
    certificate_items: list[CertificateView] = field(default_factory=list)

    async def get(self, scope: Scope, id: str) -> Any:
        for thing in itertools.chain(self.items, self.alert_items):
            if id in {thing.id, getattr(thing, "slug", "")}:
                return thing
        raise NotFoundError(f"There is no monitor {id!r}.", remedy="List the monitors.")

    async def list_monitors(self, scope: Scope, query: MonitorQuery) -> Page[MonitorView]:
        found = [
            view
            for view in self.items
            if (not query.kind or view.kind == query.kind)
            and (not query.states or view.state in query.states)
            and (not query.tag or query.tag in view.tags)
            and (query.text.casefold() in view.name.casefold())
        ]
        return paged(found, query.limit, query.cursor)

    async def list_alerts(self, scope: Scope, query: AlertQuery) -> Page[AlertView]:
        found = [
            view
            for view in self.alert_items
            if (not query.states or view.state in query.states)
            and (not query.monitor_id or view.monitor_id == query.monitor_id)
            and (not query.severity or view.severity.rank >= query.severity.rank)
        ]
        return paged(found, query.limit, query.cursor)

    async def runs(
        self, scope: Scope, id: str, *, since: Any, until: Any, limit: int, cursor: Any, states: Any
    ) -> Page[RunView]:
        found = [run for run in self.run_items if not states or run.state in states]
        return paged([run for run in found if since <= run.slot < until], limit, cursor)

    async def history(
        self, scope: Scope, id: str, *, since: Any, until: Any, points: int, days: int
    ) -> HistoryView:
        step = (until - since) / points
        series = tuple(
            SeriesPoint(
                at=since + step * n,
                count=5,
                up=5,
                degraded=0,
                down=0,
                unknown=0,
                p50_ms=1.0,
                p95_ms=2.0,
                p99_ms=3.0,
                phases_ms={},
            )
            for n in range(points)
        )
        return HistoryView(
            monitor_id=id,
            since=since,
            until=until,
            uptime=0.5,
            down_s=10.0,
            p50_ms=1.0,
            p95_ms=2.0,
            p99_ms=3.0,
            points=series,
            days=(),
        )

    async def heartbeats(self, scope: Scope, *, limit: int, cursor: Any) -> Page[HeartbeatView]:
        beats = [
            HeartbeatView(
                monitor=view,
                ping_url=view.ping_url,
                last_ping_at=NOW,
                last_action="success",
                due_at=NOW,
                overdue_s=60.0 if view.state is State.DOWN else 0.0,
            )
            for view in self.items
            if view.ping_url
        ]
        return paged(beats, limit, cursor)

    async def certificates(self, scope: Scope, *, limit: int, cursor: Any) -> Page[CertificateView]:
        return paged(self.certificate_items, limit, cursor)

    async def pause(self, scope: Scope, id: str) -> MonitorView:
        return await self._put(scope, id, state=State.PAUSED, paused=True)

    async def resume(self, scope: Scope, id: str) -> MonitorView:
        return await self._put(scope, id, state=State.UNKNOWN, paused=False)

    async def acknowledge(self, scope: Scope, id: str, *, by: str) -> AlertView:
        require(scope, Grant.OPERATE)
        for at, alert in enumerate(self.alert_items):
            if alert.id == id:
                if alert.state is AlertState.RESOLVED:
                    raise ConflictError("The alert is resolved.", remedy="Nothing is left to do.")
                self.alert_items[at] = replace(
                    alert,
                    state=AlertState.ACKNOWLEDGED,
                    acknowledged_by=by,
                    acknowledged_at=NOW,
                )
                return self.alert_items[at]
        raise NotFoundError(f"There is no alert {id!r}.", remedy="List the alerts.")

    async def health(self, scope: Scope) -> Health:
        return Health(
            version="1.0",
            started_at=NOW,
            monitors={"up": len(self.items)},
            kinds={"http": len(self.items)},
            open_alerts=len(self.alert_items),
            unacknowledged_alerts=0,
            late_p50_ms=0.1,
            late_p99_ms=0.2,
            late_max_ms=0.3,
            runs_total=9,
            running=0,
            outbox_pending=0,
            storage="sqlite",
            storage_ok=True,
            database_bytes=1,
        )

    async def authenticate_token(self, secret: str) -> Scope:
        grants = {READER: Grant.READ, OPERATOR: Grant.OPERATE}
        if secret not in grants:
            raise UnauthenticatedError("The token is not known.", remedy="Make another.")
        return Scope(actor=secret.removeprefix("lsn_user_"), grant=grants[secret])

    async def _put(self, scope: Scope, id: str, **changes: Any) -> MonitorView:
        require(scope, Grant.OPERATE)
        view = await self.get(scope, id)
        changed = replace(cast("MonitorView", view), **changes)
        self.items[self.items.index(view)] = changed
        return changed


class _Named:
    """One service's face of the desk: `list` means another thing in each."""

    def __init__(self, desk: Desk, listing: str) -> None:
        self._desk = desk
        self._listing = listing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, self._listing if name == "list" else name)


def services_of(desk: Desk) -> Services:
    monitors, alerts = _Named(desk, "list_monitors"), _Named(desk, "list_alerts")
    given: dict[str, Any] = {service.name: None for service in fields(Services)}
    given |= {"monitors": monitors, "alerts": alerts, "people": desk, "status": desk}
    return Services(**given)
