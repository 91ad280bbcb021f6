"""Channels and routes over HTTP."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from lifesign.api.doors import Admin, Reader
from lifesign.api.replies import (
    UNCHANGED,
    JSONObject,
    Listing,
    check_version,
    expected_version,
    reply,
    takes,
    versioned,
)
from lifesign.core.messages import Route
from lifesign.core.model import Owner
from lifesign.service.channels import ChannelDraft, DeliveryResult
from lifesign.service.routes import RouteDraft
from lifesign.service.services import Services
from lifesign.service.views import ChannelView


def channel_routes(services: Services) -> APIRouter:
    """Everything below `/channels`."""
    router = APIRouter(prefix="/channels", tags=["channels"])
    _add_channel_reads(router, services)
    _add_channel_changes(router, services)
    return router


def _add_channel_reads(router: APIRouter, services: Services) -> None:
    @router.get("", response_model=Listing[ChannelView])
    async def list_channels(scope: Reader) -> Response:
        """All channels, by name; secrets are shown as `***`."""
        items = await services.channels.list(scope)
        return reply({"items": items, "next_cursor": None, "total": len(items)})

    @router.get("/{id}", response_model=ChannelView, responses=UNCHANGED)
    async def get_channel(scope: Reader, request: Request, id: str) -> Response:
        """One channel."""
        view = await services.channels.get(scope, id)
        return versioned(request, view, version=view.version)

    @router.post("/{id}/test", response_model=DeliveryResult)
    async def check_channel(scope: Admin, id: str) -> Response:
        """Send a test message through it and say what came of that."""
        return reply(await services.channels.test(scope, id))


def _add_channel_changes(router: APIRouter, services: Services) -> None:
    @router.post("", status_code=201, response_model=ChannelView, openapi_extra=takes(ChannelDraft))
    async def add_channel(scope: Admin, request: Request, draft: JSONObject) -> Response:
        """Add a channel. A secret that its kind made by itself is shown in this answer only."""
        view = await services.channels.add(scope, draft, owner=Owner.API)
        place = f"/api/v1/channels/{view.id}"
        return versioned(request, view, version=view.version, status=201, location=place)

    @router.patch(
        "/{id}", response_model=ChannelView, openapi_extra=takes(ChannelDraft, partial=True)
    )
    async def change_channel(
        scope: Admin, request: Request, id: str, changes: JSONObject
    ) -> Response:
        """Change what the body names; `***` keeps a secret."""
        expected = expected_version(request)
        view = await services.channels.update(
            scope, id, changes, owner=Owner.API, expected_version=expected
        )
        return versioned(request, view, version=view.version)

    @router.delete("/{id}", status_code=204)
    async def remove_channel(scope: Admin, request: Request, id: str) -> Response:
        """Remove it, unless a route names it."""
        view = await services.channels.get(scope, id)
        check_version(view.version, expected_version(request))
        await services.channels.remove(scope, id)
        return Response(None, 204)


def route_routes(services: Services) -> APIRouter:
    """Everything below `/routes`."""
    router = APIRouter(prefix="/routes", tags=["routes"])
    _add_route_reads(router, services)
    _add_route_changes(router, services)
    return router


def _add_route_reads(router: APIRouter, services: Services) -> None:
    @router.get("", response_model=Listing[Route])
    async def list_routes(scope: Reader) -> Response:
        """All routes, by name."""
        items = await services.channels.list_routes(scope)
        return reply({"items": items, "next_cursor": None, "total": len(items)})

    @router.get("/{id}", response_model=Route, responses=UNCHANGED)
    async def get_route(scope: Reader, request: Request, id: str) -> Response:
        """One route."""
        route = await services.channels.get_route(scope, id)
        return versioned(request, route, version=route.version)


def _add_route_changes(router: APIRouter, services: Services) -> None:
    @router.post("", status_code=201, response_model=Route, openapi_extra=takes(RouteDraft))
    async def add_route(scope: Admin, request: Request, draft: JSONObject) -> Response:
        """Add a route."""
        route = await services.channels.add_route(scope, draft, owner=Owner.API)
        place = f"/api/v1/routes/{route.id}"
        return versioned(request, route, version=route.version, status=201, location=place)

    @router.patch("/{id}", response_model=Route, openapi_extra=takes(RouteDraft, partial=True))
    async def change_route(
        scope: Admin, request: Request, id: str, changes: JSONObject
    ) -> Response:
        """Change what the body names."""
        expected = expected_version(request)
        route = await services.channels.update_route(
            scope, id, changes, owner=Owner.API, expected_version=expected
        )
        return versioned(request, route, version=route.version)

    @router.delete("/{id}", status_code=204)
    async def remove_route(scope: Admin, request: Request, id: str) -> Response:
        """Remove it."""
        route = await services.channels.get_route(scope, id)
        check_version(route.version, expected_version(request))
        await services.channels.remove_route(scope, id)
        return Response(None, 204)
