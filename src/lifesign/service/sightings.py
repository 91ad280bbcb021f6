"""What the newest runs have met: certificates and jobs, read off their facts."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from lifesign.clock import Clock
from lifesign.core.errors import InvalidError
from lifesign.core.paging import Page
from lifesign.core.scope import Scope
from lifesign.service.monitor_views import MonitorViews
from lifesign.service.views import CertificateView, HeartbeatView, MonitorView
from lifesign.store import MAX_LIMIT, Store
from lifesign.store.values import MonitorQuery, MonitorRow

_HEARTBEAT = "heartbeat"
_SOON_DAYS = 14.0


class Sightings:
    """Reads over newest runs."""

    def __init__(self, *, store: Store, views: MonitorViews, clock: Clock) -> None:
        self._store = store
        self._views = views
        self._clock = clock

    async def heartbeats(
        self, scope: Scope, *, limit: int, cursor: str | None
    ) -> Page[HeartbeatView]:
        """The jobs that report, worst first, with their newest ping and when the next is due."""
        query = MonitorQuery(kind=_HEARTBEAT, limit=limit, cursor=cursor)
        page = await self._store.monitors.list(scope, query)
        pings = await self._store.pings.latest(scope, [row.monitor.id for row in page.items])
        views = await self._views.of(scope, page.items)
        now = self._clock.now()
        items = [
            _heartbeat(
                row,
                view,
                period=self._views.period_of(row.monitor),
                last_at=ping.at if (ping := pings.get(view.id)) else None,
                action=ping.action if ping else "",
                now=now,
            )
            for row, view in zip(page.items, views, strict=True)
        ]
        return Page(tuple(items), page.next_cursor)

    async def certificates(
        self, scope: Scope, *, limit: int, cursor: str | None
    ) -> Page[CertificateView]:
        """The certificates that were met, the soonest to expire first."""
        found = [view async for view in self._met_certificates(scope)]
        found.sort(
            key=lambda each: (each.days_left is None, each.days_left or 0.0, each.monitor_id)
        )
        start = _offset(cursor)
        if not 1 <= limit <= MAX_LIMIT:
            problem = ("limit", f"must be between 1 and {MAX_LIMIT}")
            raise InvalidError(f"A page of {limit} rows cannot be served.", problems=(problem,))
        more = len(found) > start + limit
        return Page(
            tuple(found[start : start + limit]), f"o{start + limit}" if more else None, len(found)
        )

    async def _met_certificates(self, scope: Scope) -> AsyncIterator[CertificateView]:
        cursor: str | None = None
        now = self._clock.now()
        while True:
            query = MonitorQuery(sort="name", limit=MAX_LIMIT, cursor=cursor)
            page = await self._store.monitors.list(scope, query)
            for row in page.items:
                if row.last is not None and "tls.not_after" in row.last.facts:
                    yield _certificate(self._views.view(scope, row), now=now)
            cursor = page.next_cursor
            if cursor is None:
                return


def _heartbeat(
    row: MonitorRow,
    view: MonitorView,
    *,
    period: timedelta,
    last_at: datetime | None,
    action: str,
    now: datetime,
) -> HeartbeatView:
    due_at = _instant(row.last.facts.get("due_at")) if row.last is not None else None
    if due_at is None and row.monitor.created_at is not None:
        due_at = row.monitor.created_at + period
    overdue_s = max(0.0, (now - due_at).total_seconds()) if due_at is not None else 0.0
    return HeartbeatView(
        monitor=view,
        ping_url=view.ping_url,
        last_ping_at=last_at,
        last_action=action,
        due_at=due_at,
        overdue_s=0.0 if view.paused else overdue_s,
    )


def _certificate(view: MonitorView, *, now: datetime) -> CertificateView:
    facts = view.last_run.facts if view.last_run is not None else {}
    names = facts.get("tls.sans", ())
    not_after = _instant(facts.get("tls.not_after"))
    days_left = None if not_after is None else (not_after - now).total_seconds() / 86_400
    return CertificateView(
        monitor_id=view.id,
        monitor_name=view.name,
        target=view.target,
        subject=str(facts.get("tls.subject", "")),
        issuer=str(facts.get("tls.issuer", "")),
        names=tuple(map(str, names)) if isinstance(names, list | tuple) else (),
        not_after=not_after,
        days_left=None if days_left is None else round(days_left, 2),
        fingerprint_sha256=str(facts.get("tls.fingerprint_sha256", "")),
        problem=_problem(view, days_left),
    )


def _problem(view: MonitorView, days_left: float | None) -> str:
    """What is wrong with the certificate in words; empty when nothing is."""
    failure = view.last_run.failure if view.last_run is not None else None
    if failure is not None and failure.layer == "tls":
        return failure.message
    if days_left is not None and days_left < 0:
        return "It has expired."
    if days_left is not None and days_left < _SOON_DAYS:
        return f"It expires in {days_left:.0f} days."
    return ""


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.startswith("o") or not cursor[1:].isdecimal() or len(cursor) > 10:
        raise InvalidError(
            "The cursor does not belong to this listing.",
            problems=(("cursor", "is not one that this listing gave"),),
            remedy="Ask for the first page again, without a cursor.",
        )
    return int(cursor[1:])
