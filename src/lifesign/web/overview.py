"""The overview: the sentence, what needs somebody, everything worst first, what changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.errors import NotFoundError
from lifesign.core.messages import AlertState
from lifesign.core.scope import Scope
from lifesign.service.views import AlertView, HistoryView, MonitorView
from lifesign.store.values import AlertQuery
from lifesign.web import phrases
from lifesign.web.drawing import day_bars, outlines
from lifesign.web.frame import framed
from lifesign.web.gate import page
from lifesign.web.ladder import Rung, rungs
from lifesign.web.search import MAX_TEXT, read_search
from lifesign.web.site import Site

PAGE_SIZE = 50
MAX_ALERTS = 8
FEED_LENGTH = 12
BAR_DAYS = 30
OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Group:
    """Monitors under one heading, in the order in which the listing has them."""

    name: str
    monitors: tuple[MonitorView, ...]


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    return [
        page(site, "/", _overview),
        page(site, "/parts/rows", _rows),
        page(site, "/parts/bars", _bars),
    ]


async def _overview(site: Site, request: Request, scope: Scope) -> Response:
    text = request.query_params.get("q", "").strip()[:MAX_TEXT]
    cursor = request.query_params.get("cursor") or None
    search = read_search(text, cursor=cursor, limit=PAGE_SIZE)
    listing, health, alerts, events = await asyncio.gather(
        site.services.monitors.list(scope, search.query),
        site.services.status.health(scope),
        site.services.alerts.list(scope, AlertQuery(states=OPEN, limit=MAX_ALERTS)),
        site.services.live.recent(scope, FEED_LENGTH),
    )
    now = site.clock.now()
    loud, calm = phrases.headline(health)
    context = {
        "q": text,
        "complaints": search.complaints,
        "groups": grouped(listing.items),
        "shown": len(listing.items),
        "next_cursor": listing.next_cursor,
        "is_later_page": cursor is not None,
        "is_empty": not health.monitors or sum(health.monitors.values()) == 0,
        "loud": loud,
        "calm": calm,
        "subline": phrases.subline(alerts.items, now=now),
        "alerts": alerts.items,
        "alert_rungs": {alert.id: alert_rungs(site, alert) for alert in alerts.items},
        "more_alerts": alerts.next_cursor is not None,
        "feed": [(event, *phrases.told(event)) for event in events],
    }
    return await framed(site, request, scope, template="overview.html", context=context)


async def _rows(site: Site, request: Request, scope: Scope) -> Response:
    """The rows of the monitors that are named, for a page that heard that they changed."""
    found = await asyncio.gather(
        *(_monitor(site, scope, id) for id in _wanted(request)),
    )
    context = {"monitors": [monitor for monitor in found if monitor], "now": site.clock.now()}
    return site.renderer.page("parts/rows.html", context)


async def _bars(site: Site, request: Request, scope: Scope) -> Response:
    """The thirty-day bars of the monitors that are named: asked for once the page stands."""
    now = site.clock.now()
    since = now - timedelta(days=1)

    async def history(id: str) -> HistoryView | None:
        try:
            return await site.services.monitors.history(
                scope, id, since=since, until=now, points=1, days=BAR_DAYS
            )
        except NotFoundError:
            return None

    histories = await asyncio.gather(*(history(id) for id in _wanted(request)))
    drawn = [(one.monitor_id, day_bars(one.days)) for one in histories if one is not None]
    bars = [(id, outlines(days), days[-1].label if days else "") for id, days in drawn]
    return site.renderer.page("parts/bars.html", {"bars": bars})


def grouped(monitors: Sequence[MonitorView]) -> tuple[Group, ...]:
    """The monitors by group; the group with the worst monitor first, as the listing is worst first."""
    names = dict.fromkeys(monitor.group for monitor in monitors)
    return tuple(
        Group(name, tuple(monitor for monitor in monitors if monitor.group == name))
        for name in names
    )


def alert_rungs(site: Site, alert: AlertView) -> tuple[Rung, ...]:
    """The ladder of an alert: which layer broke, without times; none for a concern, beside which all may hold."""
    kind = site.kinds.get(alert.monitor_kind)
    if kind is None or alert.failure is None or phrases.concern_word(alert):
        return ()
    return rungs(kind.ladder, {}, failure=alert.failure)


def _wanted(request: Request) -> list[str]:
    ids = request.query_params.get("ids", "").split(",")
    return list(dict.fromkeys(id for id in ids if id))[:PAGE_SIZE]


async def _monitor(site: Site, scope: Scope, id: str) -> MonitorView | None:
    try:
        return await site.services.monitors.get(scope, id)
    except NotFoundError:
        return None
