"""Channels and routes: the places that messages go to, and who is told about what."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute

from lifesign.channels.registry import ChannelKind
from lifesign.core.errors import InvalidError, NotFoundError
from lifesign.core.messages import AlertEvent, Route
from lifesign.core.model import Owner, Severity
from lifesign.core.scope import Grant, Scope
from lifesign.service.channels import DeliveryResult
from lifesign.service.views import ChannelView
from lifesign.web.fields import fields_of
from lifesign.web.frame import framed
from lifesign.web.gate import page, to
from lifesign.web.posted import blank_fields, read_fields
from lifesign.web.site import Site


def routes(site: Site) -> list[WebRoute]:
    """The routes of this module."""
    post, admin = ("POST",), Grant.ADMIN
    return [
        page(site, "/channels", _channels),
        page(site, "/channels/add/{kind}", _show_add, needs=admin),
        page(site, "/channels/add/{kind}", _add, methods=post, needs=admin),
        page(site, "/channels/{id}", _show_edit, needs=admin),
        page(site, "/channels/{id}", _edit, methods=post, needs=admin),
        page(site, "/channels/{id}/test", _test, methods=post, needs=Grant.OPERATE),
        page(site, "/channels/{id}/remove", _remove, methods=post, needs=admin),
        page(site, "/routes/add", _show_route, needs=admin),
        page(site, "/routes/add", _add_route, methods=post, needs=admin),
        page(site, "/routes/{id}", _show_route, needs=admin),
        page(site, "/routes/{id}", _edit_route, methods=post, needs=admin),
        page(site, "/routes/{id}/remove", _remove_route, methods=post, needs=admin),
    ]


async def _channels(site: Site, request: Request, scope: Scope) -> Response:
    return await _list_page(site, request, scope)


async def _list_page(
    site: Site,
    request: Request,
    scope: Scope,
    *,
    tested: str = "",
    result: DeliveryResult | None = None,
) -> Response:
    channels = await site.services.channels.list(scope)
    context = {
        "channels": channels,
        "channel_names": {channel.id: channel.name for channel in channels},
        "routes": await site.services.channels.list_routes(scope),
        "channel_kinds": site.services.channels.kinds(),
        "tested": tested,
        "result": result,
    }
    return await framed(site, request, scope, template="channels.html", context=context)


async def _test(site: Site, request: Request, scope: Scope) -> Response:
    id = request.path_params["id"]
    result = await site.services.channels.test(scope, id)
    return await _list_page(site, request, scope, tested=id, result=result)


async def _show_add(site: Site, request: Request, scope: Scope) -> Response:
    kind = _kind(site, request.path_params["kind"])
    return await _form_page(site, request, scope, kind=kind, form={}, settings={})


async def _add(site: Site, request: Request, scope: Scope) -> Response:
    kind = _kind(site, request.path_params["kind"])
    form = await _form(request)
    settings = read_fields(kind.settings, form)
    if form.get("intent") == "try":
        return await _tried(site, request, scope, kind=kind, form=form, settings=settings)
    draft = {"name": form.get("name", "").strip(), "kind": kind.name, "settings": settings}
    try:
        await site.services.channels.add(scope, draft, owner=Owner.WEB)
    except InvalidError as error:
        return await _form_page(
            site, request, scope, kind=kind, form=form, settings=settings, error=error
        )
    return to("/channels", said="saved")


async def _tried(
    site: Site,
    request: Request,
    scope: Scope,
    *,
    kind: ChannelKind,
    form: Mapping[str, str],
    settings: Mapping[str, object],
) -> Response:
    error: InvalidError | None = None
    result: DeliveryResult | None = None
    try:
        result = await site.services.channels.try_settings(scope, kind.name, settings)
    except InvalidError as found:
        error = found
    return await _form_page(
        site, request, scope, kind=kind, form=form, settings=settings, error=error, result=result
    )


async def _show_edit(site: Site, request: Request, scope: Scope) -> Response:
    channel = await site.services.channels.get(scope, request.path_params["id"])
    form = {"name": channel.name, "enabled": "on" if channel.enabled else ""}
    return await _form_page(
        site,
        request,
        scope,
        kind=_kind(site, channel.kind),
        form=form,
        settings=channel.settings,
        channel=channel,
    )


async def _edit(site: Site, request: Request, scope: Scope) -> Response:
    channel = await site.services.channels.get(scope, request.path_params["id"])
    kind = _kind(site, channel.kind)
    form = await _form(request)
    settings = read_fields(kind.settings, form)
    changes = {
        "name": form.get("name", "").strip(),
        "enabled": bool(form.get("enabled")),
        "settings": blank_fields(kind.settings, settings),
    }
    version = form.get("version", "")
    try:
        await site.services.channels.update(
            scope,
            channel.id,
            changes,
            owner=Owner.WEB,
            expected_version=int(version) if version.isdigit() else None,
        )
    except InvalidError as error:
        return await _form_page(
            site,
            request,
            scope,
            kind=kind,
            form=form,
            settings=settings,
            channel=channel,
            error=error,
        )
    return to("/channels", said="saved")


async def _remove(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.channels.remove(scope, request.path_params["id"])
    return to("/channels", said="removed")


async def _show_route(site: Site, request: Request, scope: Scope) -> Response:
    id = request.path_params.get("id")
    route = await _route(site, scope, id) if id else None
    return await _route_page(site, request, scope, route=route)


async def _add_route(site: Site, request: Request, scope: Scope) -> Response:
    try:
        await site.services.channels.add_route(scope, await _route_draft(request), owner=Owner.WEB)
    except InvalidError as error:
        return await _route_page(site, request, scope, route=None, error=error)
    return to("/channels", said="saved")


async def _edit_route(site: Site, request: Request, scope: Scope) -> Response:
    route = await _route(site, scope, request.path_params["id"])
    try:
        await site.services.channels.update_route(
            scope, route.id, await _route_draft(request), owner=Owner.WEB
        )
    except InvalidError as error:
        return await _route_page(site, request, scope, route=route, error=error)
    return to("/channels", said="saved")


async def _remove_route(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.channels.remove_route(scope, request.path_params["id"])
    return to("/channels", said="removed")


async def _route_draft(request: Request) -> dict[str, object]:
    form = await request.form()
    tags = str(form.get("tags", "")).replace(",", " ").split()
    return {
        "name": str(form.get("name", "")).strip(),
        "channels": [str(value) for value in form.getlist("channels")],
        "min_severity": str(form.get("min_severity", Severity.NOTICE.value)),
        "kinds": [str(value) for value in form.getlist("kinds")],
        "events": [str(value) for value in form.getlist("events")],
        "tags": tags,
        "enabled": bool(form.get("enabled")),
    }


async def _route(site: Site, scope: Scope, id: str) -> Route:
    for route in await site.services.channels.list_routes(scope):
        if route.id == id:
            return route
    raise NotFoundError(f"There is no route {id}.", remedy="See /channels for those there are.")


async def _route_page(
    site: Site,
    request: Request,
    scope: Scope,
    *,
    route: Route | None,
    error: InvalidError | None = None,
) -> Response:
    context = {
        "route": route,
        "channels": await site.services.channels.list(scope),
        "kinds": list(site.kinds.values()),
        "severities": tuple(Severity),
        "events": tuple(AlertEvent),
        "error": error,
    }
    status = error.status if error else 200
    return await framed(site, request, scope, template="route.html", context=context, status=status)


def _kind(site: Site, name: str) -> ChannelKind:
    kinds = site.services.channels.kinds()
    if name not in kinds:
        raise NotFoundError(
            f"There is no kind of channel {name!r}.", remedy=f"There are: {', '.join(kinds)}."
        )
    return kinds[name]


async def _form(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.form()).items()}


async def _form_page(
    site: Site,
    request: Request,
    scope: Scope,
    *,
    kind: ChannelKind,
    form: Mapping[str, str],
    settings: Mapping[str, object],
    channel: ChannelView | None = None,
    error: InvalidError | None = None,
    result: DeliveryResult | None = None,
) -> Response:
    context = {
        "kind": kind,
        "form": form,
        "channel": channel,
        "fields": fields_of(kind.settings, settings, problems=error.problems if error else ()),
        "error": error,
        "result": result,
        "summary": (kind.settings.__doc__ or "").strip().partition("\n")[0],
    }
    status = error.status if error else 200
    return await framed(
        site, request, scope, template="channel.html", context=context, status=status
    )
