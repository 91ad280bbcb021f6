"""Monitors over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel
from starlette.requests import Request
from starlette.responses import Response

from lifesign.api.doors import Admin, Operator, Reader
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
from lifesign.clock import Clock
from lifesign.core.model import Owner, State
from lifesign.service.drafts import MonitorDraft
from lifesign.service.services import Services
from lifesign.service.views import (
    CertificateView,
    HeartbeatView,
    HistoryView,
    LatencyView,
    MonitorView,
    RunView,
)
from lifesign.store.values import MonitorQuery

_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)

Limit = Annotated[int, Query(ge=1, le=1000, description="Rows on a page.")]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next_cursor` of the page before.")
]
Since = Annotated[AwareDatetime | None, Query(description="RFC 3339, inclusive.")]
Until = Annotated[AwareDatetime | None, Query(description="RFC 3339, exclusive.")]
Word = Annotated[str, Query(max_length=200)]


class Asked(BaseModel):
    """A run was asked for; its result is an event and a row of the runs."""

    monitor_id: str


def monitor_routes(services: Services, clock: Clock) -> APIRouter:
    """Everything below `/monitors`."""
    router = APIRouter(prefix="/monitors", tags=["monitors"])
    _add_listing(router, services)
    _add_changes(router, services)
    _add_operations(router, services)
    _add_past(router, services, clock)
    return router


def _add_listing(router: APIRouter, services: Services) -> None:
    @router.get("", response_model=Listing[MonitorView])
    async def list_monitors(
        scope: Reader,
        *,
        kind: Word = "",
        state: Annotated[list[State] | None, Query(description="Any of these.")] = None,
        tag: Word = "",
        group: Word = "",
        q: Annotated[str, Query(max_length=200, description="Text in name, tags, group …")] = "",
        sort: Literal["worst", "name", "kind"] = "worst",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Monitors, the worst first."""
        query = MonitorQuery(
            kind=kind, states=tuple(state or ()), tag=tag, group=group, text=q, sort=sort,
            limit=limit, cursor=cursor,
        )  # fmt: skip
        return reply(await services.monitors.list(scope, query))

    @router.get("/{id}", response_model=MonitorView, responses=UNCHANGED)
    async def get_monitor(scope: Reader, request: Request, id: str) -> Response:
        """One monitor, by id or slug."""
        view = await services.monitors.get(scope, id)
        return versioned(request, view, version=view.version)


def _add_changes(router: APIRouter, services: Services) -> None:
    @router.post("", status_code=201, response_model=MonitorView, openapi_extra=takes(MonitorDraft))
    async def add_monitor(scope: Admin, request: Request, draft: JSONObject) -> Response:
        """Add a monitor: from a `target` alone, or from a `kind` with its `settings`."""
        view = await services.monitors.add(scope, draft, owner=Owner.API)
        place = f"/api/v1/monitors/{view.id}"
        return versioned(request, view, version=view.version, status=201, location=place)

    @router.patch(
        "/{id}", response_model=MonitorView, openapi_extra=takes(MonitorDraft, partial=True)
    )
    async def change_monitor(
        scope: Admin, request: Request, id: str, changes: JSONObject
    ) -> Response:
        """Change what the body names; send `If-Match` to be sure that nobody else changed it."""
        expected = expected_version(request)
        view = await services.monitors.update(
            scope, id, changes, owner=Owner.API, expected_version=expected
        )
        return versioned(request, view, version=view.version)

    @router.delete("/{id}", status_code=204)
    async def remove_monitor(scope: Admin, request: Request, id: str) -> Response:
        """Remove it with all that was seen of it."""
        view = await services.monitors.get(scope, id)
        check_version(view.version, expected_version(request))
        await services.monitors.remove(scope, view.id)
        return Response(None, 204)


def _add_operations(router: APIRouter, services: Services) -> None:
    @router.post("/{id}/pause", response_model=MonitorView)
    async def pause_monitor(scope: Operator, request: Request, id: str) -> Response:
        """Let it rest; its open alert is resolved."""
        view = await services.monitors.pause(scope, id)
        return versioned(request, view, version=view.version)

    @router.post("/{id}/resume", response_model=MonitorView)
    async def resume_monitor(scope: Operator, request: Request, id: str) -> Response:
        """Watch again."""
        view = await services.monitors.resume(scope, id)
        return versioned(request, view, version=view.version)

    @router.post("/{id}/run", status_code=202, response_model=Asked)
    async def run_monitor(scope: Operator, id: str) -> Response:
        """Check it at once, outside its schedule."""
        view = await services.monitors.get(scope, id)
        await services.monitors.run_now(scope, view.id)
        return reply(Asked(monitor_id=view.id).model_dump(), status=202)


def _add_past(router: APIRouter, services: Services, clock: Clock) -> None:
    @router.get("/{id}/history", response_model=HistoryView)
    async def monitor_history(
        scope: Reader,
        *,
        id: str,
        since: Since = None,
        until: Until = None,
        points: Annotated[int, Query(ge=1, le=2000)] = 120,
        days: Annotated[int, Query(ge=0, le=1830)] = 90,
    ) -> Response:
        """Uptime, percentiles and chart points of a window (the last 24 hours), and days."""
        end = until or clock.now()
        begin = since or max(end, _EARLIEST) - timedelta(hours=24)
        view = await services.monitors.history(
            scope, id, since=begin, until=end, points=points, days=days
        )
        return reply(view)

    @router.get("/{id}/latency", response_model=LatencyView)
    async def monitor_latency(scope: Reader, id: str) -> Response:
        """Percentiles of the last 24 hours, 7 and 30 days, in all and by phase, and what would be told as slow."""
        return reply(await services.monitors.latency(scope, id))

    @router.get("/{id}/runs", response_model=Listing[RunView])
    async def monitor_runs(
        scope: Reader,
        *,
        id: str,
        since: Since = None,
        until: Until = None,
        state: Annotated[list[State] | None, Query(description="Any of these.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Single runs with phases, facts and conditions, newest first."""
        page = await services.monitors.runs(
            scope, id, since=since, until=until, limit=limit, cursor=cursor,
            states=tuple(state or ()),
        )  # fmt: skip
        return reply(page)


def seen_routes(services: Services) -> APIRouter:
    """What monitors have met: jobs and certificates."""
    router = APIRouter(tags=["monitors"])

    @router.get("/heartbeats", response_model=Listing[HeartbeatView])
    async def list_heartbeats(scope: Reader, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """The jobs that report, the worst first."""
        return reply(await services.monitors.heartbeats(scope, limit=limit, cursor=cursor))

    @router.get("/certificates", response_model=Listing[CertificateView])
    async def list_certificates(
        scope: Reader, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """The certificates that were met, the soonest to expire first."""
        return reply(await services.monitors.certificates(scope, limit=limit, cursor=cursor))

    return router
