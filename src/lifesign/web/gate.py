"""The way in to every page: who asks, from where, what went wrong, and the headers of every answer."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote, urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as ASGIScope

from lifesign.core.errors import (
    ForbiddenError,
    InvalidError,
    LifesignError,
    UnauthenticatedError,
)
from lifesign.core.scope import Grant, Scope
from lifesign.web.site import SESSION_COOKIE, Site, look_of

_log = structlog.get_logger(__name__)

MAX_FORM_BYTES = 1 << 20
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Without an origin in it a form's own POST could not be told from a foreign one.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

Page = Callable[[Site, Request, Scope], Awaitable[Response]]
OpenPage = Callable[[Site, Request], Awaitable[Response]]


class PageHeaders:
    """Adds the security headers to whatever a page answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Pass the request on and dress the answer."""

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, dressed)


def page(
    site: Site,
    path: str,
    endpoint: Page,
    *,
    methods: Sequence[str] = ("GET",),
    needs: Grant = Grant.READ,
) -> Route:
    """A route for those who are signed in and may do what `needs` asks for."""

    async def guarded(request: Request) -> Response:
        try:
            scope = await site.services.people.session(request.cookies.get(SESSION_COOKIE, ""))
        except UnauthenticatedError:
            return _to_login(request)

        async def answer() -> Response:
            _require(scope, needs)
            return await endpoint(site, request, scope)

        return await _answered(site, request, answer, scope=scope)

    return Route(path, guarded, methods=list(methods), middleware=[Middleware(PageHeaders)])


def open_page(
    site: Site, path: str, endpoint: OpenPage, *, methods: Sequence[str] = ("GET",)
) -> Route:
    """A route that needs no session: signing in, setting up."""

    async def guarded(request: Request) -> Response:
        return await _answered(site, request, lambda: endpoint(site, request), scope=None)

    return Route(path, guarded, methods=list(methods), middleware=[Middleware(PageHeaders)])


async def _answered(
    site: Site,
    request: Request,
    answer: Callable[[], Awaitable[Response]],
    *,
    scope: Scope | None,
) -> Response:
    """The answer, or the page that says what went wrong: the request edge of the web face."""
    try:
        refuse_foreign(request)
        return await answer()
    except LifesignError as error:
        return problem_page(site, request, error, scope=scope)
    except Exception:  # noqa: BLE001 - one of the five supervised edges
        _log.exception("page failed", method=request.method, path=request.url.path)
        fault = LifesignError(
            "This page could not be made: something is wrong in Lifesign itself.",
            remedy="Nothing that was saved before is lost. The log of the server says more.",
        )
        return problem_page(site, request, fault, scope=scope)


def _require(scope: Scope, needs: Grant) -> None:
    if not scope.allows(needs):
        raise ForbiddenError(
            f"{scope.actor} may only {scope.grant.value}; this needs {needs.value}.",
            remedy="Ask an administrator of this Lifesign for the grant.",
        )


def refuse_foreign(request: Request) -> None:
    """Raise ForbiddenError for a write that another site's page sent, InvalidError for a giant one.

    Browsers say where a request comes from in `Sec-Fetch-Site`, but over plain HTTP only to loopback;
    there the `Origin` must name the host that was asked. A write that says neither is refused.
    """
    if request.method in ("GET", "HEAD"):
        return
    if not is_same_origin(request.headers):
        raise ForbiddenError(
            "This form was sent from another site, so nothing was changed.",
            remedy="Open the page here and send it again.",
        )
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_FORM_BYTES:
        raise InvalidError("The form is larger than 1 MiB or has no length.")


def is_same_origin(headers: Headers) -> bool:
    """Whether a write comes from one of our own pages."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == headers.get("host", "")


def safe_next(target: str) -> str:
    """A path of this site to go on to, or the overview for anything that might lead elsewhere."""
    parts = urlsplit(target)
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    if not is_ours or parts.scheme or parts.netloc or any(ord(letter) < 32 for letter in target):
        return "/"
    return target


def problem_page(
    site: Site, request: Request, error: LifesignError, *, scope: Scope | None
) -> Response:
    """The page that says what happened and what to do, with the error's own status."""
    context = {
        "request": request,
        "look": look_of(request),
        "error": error,
        "problems": error.problems if isinstance(error, InvalidError) else (),
        "me": scope,
        "events_url": site.events_url,
    }
    return site.renderer.page("problem.html", context, status=error.status)


def to(path: str, *, said: str = "") -> RedirectResponse:
    """Go on to `path` with GET after a form was taken; `said` names the notice to show there."""
    joint = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{joint}said={said}" if said else path, status_code=303)


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    login = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"
    if request.method != "GET":
        login = "/login"
    if request.headers.get("hx-request"):
        # A fragment must not be replaced by the sign-in page: the whole tab goes there.
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse(login, status_code=303)
