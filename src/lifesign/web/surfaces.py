"""Published surfaces: their timeline, two of them compared, what people decide about them, announced releases."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.errors import InvalidError
from lifesign.core.scope import Grant, Scope
from lifesign.service.surface_views import SurfaceDiffView, SurfaceView
from lifesign.service.views import MonitorView
from lifesign.web.drift import drifted_places, first_of, groups_of
from lifesign.web.frame import framed
from lifesign.web.gate import page, safe_next, to
from lifesign.web.site import Site

LINES = 30
_MINUTE = "%Y-%m-%dT%H:%M"
"""What a `datetime-local` box holds: no zone, so the form says that it is UTC."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The form of a release as it stands, and what is wrong with it."""

    values: Mapping[str, str]
    error: InvalidError | None = None

    def problem(self, name: str) -> str:
        """What is wrong with a field."""
        found = self.error.problems if self.error is not None else ()
        return next((reason for place, reason in found if place == name), "")


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    base = "/monitors/{slug}/surface"
    doings = (("accept", _accept), ("pin", _pin), ("unpin", _unpin), ("announce", _announce))
    return [
        page(site, base, _timeline),
        page(site, f"{base}/diff", _diff),
        *(
            page(site, f"{base}/{name}", doing, methods=("POST",), needs=Grant.OPERATE)
            for name, doing in (*doings, ("releases/{release}/cancel", _cancel))
        ),
    ]


async def _timeline(site: Site, request: Request, scope: Scope) -> Response:
    ends_at = site.clock.now().replace(second=0) + timedelta(hours=1)
    fresh = Announcement({"ends_at": ends_at.strftime(_MINUTE)})
    return await _timeline_page(site, request, scope, announcement=fresh)


async def _timeline_page(
    site: Site, request: Request, scope: Scope, *, announcement: Announcement
) -> Response:
    cursor = request.query_params.get("cursor") or None
    monitor, surface = await _both(site, request, scope)
    lines = await site.services.surfaces.timeline(scope, monitor.id, limit=LINES, cursor=cursor)
    context = {
        "monitor": monitor,
        "surface": surface,
        "shown": [(each, first_of(each.differences)) for each in drifted_places(surface)],
        "lines": lines.items,
        "next_cursor": lines.next_cursor,
        "is_later_page": cursor is not None,
        "announcement": announcement,
        "has_many": len(surface.places) > 1,
    }
    status = announcement.error.status if announcement.error is not None else 200
    return await framed(
        site, request, scope, template="surface.html", context=context, status=status
    )


async def _diff(site: Site, request: Request, scope: Scope) -> Response:
    """Two surfaces compared; what is accepted and what is published when none are named."""
    monitor, surface = await _both(site, request, scope)
    before, after = (request.query_params.get(name, "") for name in ("before", "after"))
    if not before and not after and surface.places:
        place = next((each for each in surface.places if each.drifted), surface.places[0])
        before, after = place.baseline, place.digest
    diff: SurfaceDiffView | None = None
    if before and after:
        diff = await site.services.surfaces.compare(scope, monitor.id, before, after)
    context = {
        "monitor": monitor,
        "surface": surface,
        "diff": diff,
        "groups": groups_of(diff.changes) if diff is not None else (),
        "is_drift": any(
            each.drifted and (each.baseline, each.digest) == (before, after)
            for each in surface.places
        ),
        "is_published": any(each.digest == after for each in surface.places),
    }
    return await framed(site, request, scope, template="diff.html", context=context)


async def _both(site: Site, request: Request, scope: Scope) -> tuple[MonitorView, SurfaceView]:
    slug = request.path_params["slug"]
    return await asyncio.gather(
        site.services.monitors.get(scope, slug), site.services.surfaces.of(scope, slug)
    )


async def _accept(site: Site, request: Request, scope: Scope) -> Response:
    form = await request.form()
    is_pinned = bool(form.get("pin"))
    digest = str(form.get("digest", ""))
    await site.services.surfaces.accept(
        scope, request.path_params["slug"], digest=digest, pin=is_pinned, by=scope.actor
    )
    return await _back(request, "accepted-pinned" if is_pinned else "accepted")


async def _pin(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.surfaces.pin(scope, request.path_params["slug"], by=scope.actor)
    return await _back(request, "pinned")


async def _unpin(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.surfaces.unpin(scope, request.path_params["slug"], by=scope.actor)
    return await _back(request, "unpinned")


async def _announce(site: Site, request: Request, scope: Scope) -> Response:
    form = await request.form()
    names = ("starts_at", "ends_at", "note", "digest")
    values = {name: str(form.get(name, "")).strip() for name in names}
    try:
        await site.services.surfaces.announce(
            scope,
            monitor_id=(await site.services.monitors.get(scope, request.path_params["slug"])).id,
            starts_at=_instant(values, "starts_at"),
            ends_at=_wanted_instant(values, "ends_at"),
            digest=values["digest"],
            note=values["note"],
            by=scope.actor,
        )
    except InvalidError as error:
        refused = Announcement(values, error)
        return await _timeline_page(site, request, scope, announcement=refused)
    return to(f"{_base(request)}/surface", said="announced")


async def _cancel(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.surfaces.cancel(scope, request.path_params["release"])
    return to(f"{_base(request)}/surface", said="cancelled")


def _instant(values: Mapping[str, str], name: str) -> datetime | None:
    """The instant of a box, in UTC; None for an empty one. Raises InvalidError."""
    if not values[name]:
        return None
    try:
        at = datetime.fromisoformat(values[name].removesuffix("Z"))
    except ValueError:
        raise _unreadable(name, "is no date and time such as 2026-11-20T15:00") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _wanted_instant(values: Mapping[str, str], name: str) -> datetime:
    at = _instant(values, name)
    if at is None:
        raise _unreadable(name, "is missing: say until when the release may take")
    return at


def _unreadable(name: str, reason: str) -> InvalidError:
    message = f"This release cannot be announced: {name} {reason}."
    return InvalidError(message, problems=((name, reason),))


def _base(request: Request) -> str:
    return f"/monitors/{request.path_params['slug']}"


async def _back(request: Request, said: str) -> Response:
    """To the page that the form stood on."""
    form = await request.form()
    return to(safe_next(str(form.get("back") or _base(request))), said=said)
