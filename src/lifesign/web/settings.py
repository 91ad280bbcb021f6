"""Settings: the API tokens, this session, and how pages look in this browser."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.core.errors import InvalidError
from lifesign.core.scope import Grant, Scope
from lifesign.service.views import TokenView
from lifesign.web.frame import framed
from lifesign.web.gate import page, safe_next, to
from lifesign.web.site import LOOK_CHOICES, Site

LIFETIMES = {
    "30": timedelta(days=30),
    "90": timedelta(days=90),
    "365": timedelta(days=365),
    "never": None,
}
_A_YEAR_S = 365 * 86_400


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    return [
        page(site, "/settings", _settings),
        page(site, "/settings/tokens", _create, methods=("POST",), needs=Grant.ADMIN),
        page(
            site,
            "/settings/tokens/{id}/revoke",
            _revoke,
            methods=("POST",),
            needs=Grant.ADMIN,
        ),
        page(site, "/settings/look", _look, methods=("POST",)),
    ]


async def _settings(site: Site, request: Request, scope: Scope) -> Response:
    return await _page(site, request, scope)


async def _create(site: Site, request: Request, scope: Scope) -> Response:
    form = await request.form()
    name = str(form.get("name", "")).strip()
    grant, lifetime = str(form.get("grant", "read")), str(form.get("expires", "90"))
    if not name or grant not in set(Grant) or lifetime not in LIFETIMES:
        raise InvalidError(
            "The token was not made: it needs a name, a grant and a lifetime.",
            remedy="Go back, give it a name that says who uses it, and try again.",
        )
    token = await site.services.people.create_token(
        scope, name=name, grant=Grant(grant), expires_in=LIFETIMES[lifetime]
    )
    # Shown in the answer itself and nowhere else: the secret must not stand in an address.
    return await _page(site, request, scope, created=token)


async def _revoke(site: Site, request: Request, scope: Scope) -> Response:
    await site.services.people.revoke_token(scope, request.path_params["id"])
    return to("/settings", said="revoked")


async def _look(site: Site, request: Request, _scope: Scope) -> Response:  # noqa: ARG001 - a page's shape
    form = await request.form()
    response = to(safe_next(str(form.get("back") or "/settings")), said="look")
    for name, choices in LOOK_CHOICES.items():
        value = str(form.get(name, ""))
        if value in choices:
            response.set_cookie(
                f"lifesign_{name}", value, max_age=_A_YEAR_S, samesite="lax", path="/"
            )
    return response


async def _page(
    site: Site, request: Request, scope: Scope, *, created: TokenView | None = None
) -> Response:
    allowed = scope.allows(Grant.ADMIN)
    context = {
        "tokens": await site.services.people.tokens(scope) if allowed else (),
        "created": created,
        "grants": tuple(Grant),
        "look_choices": LOOK_CHOICES,
        "base_url": site.base_url or str(request.base_url).rstrip("/"),
    }
    return await framed(site, request, scope, template="settings.html", context=context)
