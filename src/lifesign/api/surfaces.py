"""Published surfaces and announced releases over HTTP."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from lifesign.api.doors import Operator, Reader
from lifesign.api.monitors import Cursor, Limit
from lifesign.api.replies import MEDIA_TYPE, JSONObject, Listing, reply, takes
from lifesign.core.errors import InvalidError
from lifesign.service.releases import MAX_DIGEST, MAX_NOTE
from lifesign.service.services import Services
from lifesign.service.settings import pydantic_problems, sentences
from lifesign.service.surface_views import (
    ReleaseView,
    SurfaceChangeView,
    SurfaceDiffView,
    SurfaceView,
)

Body = TypeVar("Body", bound=BaseModel)
Before = Annotated[
    str, Query(max_length=MAX_DIGEST, description="A digest; what is accepted when absent.")
]
After = Annotated[
    str, Query(max_length=MAX_DIGEST, description="A digest; what is published now when absent.")
]


class AcceptDraft(BaseModel):
    """What is to be the baseline; what is published now when nothing is said."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    digest: str = Field(
        default="", max_length=MAX_DIGEST, description="A surface that this monitor published."
    )
    pin: bool = Field(default=False, description="Whether only people may move it from then on.")


class ReleaseDraft(BaseModel):
    """A release as it is announced: of one monitor, or of every one with a tag or in a group."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    monitor: str = Field(default="", max_length=200, description="Id or slug of a monitor.")
    tag: str = Field(default="", max_length=200, description="Every monitor with this tag.")
    group: str = Field(default="", max_length=200, description="Every monitor of this group.")
    starts_at: AwareDatetime | None = Field(default=None, description="RFC 3339; now when absent.")
    ends_at: AwareDatetime = Field(description="RFC 3339; at most 30 days after the window begins.")
    digest: str = Field(
        default="",
        max_length=MAX_DIGEST,
        description="The one surface that is expected; any when empty.",
    )
    note: str = Field(default="", max_length=MAX_NOTE, description="What is released.")


_ACCEPTS = takes(AcceptDraft, required=False)
_SNAPSHOT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The canonical document, byte for byte what the digest is made of.",
        "content": {MEDIA_TYPE: {"schema": {"type": "object"}}},
    }
}


def surface_routes(services: Services) -> APIRouter:
    """Everything below `/monitors/{id}/surface`."""
    router = APIRouter(prefix="/monitors/{id}/surface", tags=["surfaces"])
    _add_looks(router, services)
    _add_decisions(router, services)
    return router


def _add_looks(router: APIRouter, services: Services) -> None:
    @router.get("", response_model=SurfaceView)
    async def get_surface(scope: Reader, id: str) -> Response:
        """What the target publishes now, what is accepted, and since when, from everywhere it is seen."""
        return reply(await services.surfaces.of(scope, id))

    @router.get("/changes", response_model=Listing[SurfaceChangeView])
    async def surface_changes(
        scope: Reader, id: str, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """The confirmed changes, newest first."""
        page = await services.surfaces.timeline(scope, id, limit=limit, cursor=cursor)
        return reply(page)

    @router.get("/snapshots/{digest}", responses=_SNAPSHOT, response_model=None)
    async def surface_snapshot(scope: Reader, id: str, digest: str) -> Response:
        """The whole surface of a digest that this monitor published."""
        document = await services.surfaces.document(scope, id, digest)
        headers = {"cache-control": "private, max-age=31536000, immutable"}
        return Response(document, media_type=MEDIA_TYPE, headers=headers)

    @router.get("/diff", response_model=SurfaceDiffView)
    async def surface_diff(
        scope: Reader, id: str, before: Before = "", after: After = ""
    ) -> Response:
        """What two surfaces differ in, worst first; what is accepted and what is published when none are named."""
        return reply(await services.surfaces.compare(scope, id, before, after))


def _add_decisions(router: APIRouter, services: Services) -> None:
    @router.post("/accept", response_model=SurfaceView, openapi_extra=_ACCEPTS)
    async def accept_surface(scope: Operator, id: str, body: JSONObject) -> Response:
        """Make what is published now, or a surface named by its digest, the baseline: it is drift no longer."""
        draft = _read(AcceptDraft, body, what="The baseline cannot be accepted")
        view = await services.surfaces.accept(scope, id, digest=draft.digest, pin=draft.pin)
        return reply(view)

    @router.post("/pin", response_model=SurfaceView)
    async def pin_baseline(scope: Operator, id: str) -> Response:
        """Keep the baseline as it is: nothing but a person or a release moves it."""
        return reply(await services.surfaces.pin(scope, id))

    @router.delete("/pin", status_code=204)
    async def unpin_baseline(scope: Operator, id: str) -> Response:
        """Let time accept changes again, as the monitor's policy says."""
        await services.surfaces.unpin(scope, id)
        return Response(None, 204)


def release_routes(services: Services) -> APIRouter:
    """Everything below `/releases`."""
    router = APIRouter(prefix="/releases", tags=["surfaces"])

    @router.get("", response_model=Listing[ReleaseView])
    async def list_releases(
        scope: Reader,
        monitor: Annotated[str, Query(max_length=200, description="Id or slug of one.")] = "",
    ) -> Response:
        """Announced releases, the latest to begin first; at most 1000."""
        return _all(await services.surfaces.releases(scope, monitor))

    @router.post(
        "",
        status_code=201,
        response_model=Listing[ReleaseView],
        openapi_extra=takes(ReleaseDraft),
    )
    async def announce_release(scope: Operator, body: JSONObject) -> Response:
        """Announce a release: what changes within its window is accepted without a word."""
        draft = _read(ReleaseDraft, body, what="The release cannot be announced")
        releases = await services.surfaces.announce(
            scope, monitor_id=draft.monitor, tag=draft.tag, group=draft.group,
            starts_at=draft.starts_at, ends_at=draft.ends_at, digest=draft.digest, note=draft.note,
        )  # fmt: skip
        return _all(releases, status=201)

    @router.delete("/{id}", status_code=204)
    async def cancel_release(scope: Operator, id: str) -> Response:
        """Take a release back; what it accepted stays accepted."""
        await services.surfaces.cancel(scope, id)
        return Response(None, 204)

    return router


def _all(items: tuple[ReleaseView, ...], *, status: int = 200) -> Response:
    return reply({"items": items, "next_cursor": None, "total": len(items)}, status=status)


def _read(model: type[Body], body: dict[str, Any], *, what: str) -> Body:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = pydantic_problems(error, model)
        raise InvalidError(f"{what}: {sentences(problems)}", problems=problems) from None
