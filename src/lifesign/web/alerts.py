"""Alerts: open ones first, acknowledged in place, and for each who was told, why, and how it went."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.messages import AlertState
from lifesign.core.scope import Grant, Scope
from lifesign.store.values import AlertQuery
from lifesign.web.frame import framed
from lifesign.web.gate import page, safe_next, to
from lifesign.web.overview import OPEN, alert_rungs
from lifesign.web.site import Site

PAGE_SIZE = 50


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    return [
        page(site, "/alerts", _alerts),
        page(site, "/alerts/{id}", _alert),
        page(
            site,
            "/alerts/{id}/acknowledge",
            _acknowledge,
            methods=("POST",),
            needs=Grant.OPERATE,
        ),
    ]


async def _alerts(site: Site, request: Request, scope: Scope) -> Response:
    cursor = request.query_params.get("cursor") or None
    opened = await site.services.alerts.list(scope, AlertQuery(states=OPEN, limit=PAGE_SIZE))
    closed = await site.services.alerts.list(
        scope, AlertQuery(states=(AlertState.RESOLVED,), limit=PAGE_SIZE, cursor=cursor)
    )
    context = {
        "opened": () if cursor else opened.items,
        "closed": closed.items,
        "next_cursor": closed.next_cursor,
        "is_later_page": cursor is not None,
        "alert_rungs": {alert.id: alert_rungs(site, alert) for alert in opened.items},
    }
    return await framed(site, request, scope, template="alerts.html", context=context)


async def _alert(site: Site, request: Request, scope: Scope) -> Response:
    alert = await site.services.alerts.get(scope, request.path_params["id"])
    context = {
        "alert": alert,
        "rungs": alert_rungs(site, alert),
        "deliveries": await site.services.alerts.deliveries(scope, alert.id),
    }
    return await framed(site, request, scope, template="alert.html", context=context)


async def _acknowledge(site: Site, request: Request, scope: Scope) -> Response:
    alert = await site.services.alerts.acknowledge(scope, request.path_params["id"], by=scope.actor)
    form = await request.form()
    return to(safe_next(str(form.get("back") or f"/alerts/{alert.id}")), said="acknowledged")
