"""The frame around every page of the signed-in part: who, where, the counts at the side, the notice."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from lifesign.core.scope import Grant, Scope
from lifesign.web.site import Site, look_of

NOTICES = {
    "welcome": "Lifesign is yours. Paste the first thing to watch into the box.",
    "added": "Added. The first check is under way.",
    "saved": "Saved.",
    "removed": "Removed, with its history.",
    "paused": "Paused. Nothing is checked and nobody is told.",
    "resumed": "Resumed.",
    "checking": "A check is under way; the result appears here by itself.",
    "acknowledged": "Acknowledged. Others see that you have it.",
    "revoked": "Revoked. Whoever still uses it is refused from now on.",
    "accepted": "Accepted. What is published now is the baseline.",
    "accepted-pinned": "Accepted and pinned. Only people and announced releases move the baseline from now on.",
    "pinned": "Pinned. Only people and announced releases move the baseline from now on.",
    "unpinned": "Unpinned. Changes that stay are accepted by themselves again, as the policy says.",
    "announced": "Announced. What changes within the release is accepted in silence.",
    "cancelled": "Taken back. What the release accepted stays accepted.",
    "look": "Kept in this browser.",
}


async def framed(
    site: Site,
    request: Request,
    scope: Scope,
    *,
    template: str,
    context: Mapping[str, object],
    status: int = 200,
) -> Response:
    """Render `template` inside the frame."""
    health = await site.services.status.health(scope)
    frame: dict[str, object] = {
        "request": request,
        "path": request.url.path,
        "look": look_of(request),
        "me": scope,
        "may_operate": scope.allows(Grant.OPERATE),
        "may_admin": scope.allows(Grant.ADMIN),
        "health": health,
        "kind_titles": {name: kind.title for name, kind in site.kinds.items()},
        "now": site.clock.now(),
        "events_url": site.events_url,
        "config_file": site.config_file,
        "notice": NOTICES.get(request.query_params.get("said", ""), ""),
    }
    return site.renderer.page(template, {**frame, **context}, status=status)
