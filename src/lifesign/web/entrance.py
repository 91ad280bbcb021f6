"""The way in: setting Lifesign up for the first time, signing in, signing out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lifesign.core.errors import InvalidError, LifesignError, UnauthenticatedError
from lifesign.core.scope import Scope
from lifesign.web.gate import open_page, page, safe_next, to
from lifesign.web.site import SESSION_COOKIE, Site, look_of

SESSION_MAX_AGE_S = 14 * 86_400
"""The cookie's own end; the server ends sessions earlier by its own rules (conventions: 14 days at most)."""


def routes(site: Site) -> list[Route]:
    """The routes of this module."""
    return [
        open_page(site, "/login", _show_login),
        open_page(site, "/login", _log_in, methods=("POST",)),
        open_page(site, "/setup", _show_setup),
        open_page(site, "/setup", _set_up, methods=("POST",)),
        page(site, "/logout", _log_out, methods=("POST",)),
    ]


async def _show_login(site: Site, request: Request) -> Response:
    try:
        await site.services.people.session(request.cookies.get(SESSION_COOKIE, ""))
    except UnauthenticatedError:
        return _login_page(site, request, wanted=request.query_params.get("next", "/"))
    return RedirectResponse(safe_next(request.query_params.get("next", "/")), status_code=303)


async def _log_in(site: Site, request: Request) -> Response:
    form = await request.form()
    email, wanted = str(form.get("email", "")), str(form.get("next", "/"))
    remote = request.client.host if request.client else ""
    try:
        token = await site.services.people.log_in(
            email.strip(), str(form.get("password", "")), remote=remote
        )
    except LifesignError as error:
        return _login_page(site, request, wanted=wanted, email=email, error=error)
    return _with_session(request, RedirectResponse(safe_next(wanted), status_code=303), token)


async def _show_setup(site: Site, request: Request) -> Response:
    if await site.services.people.setup_token(site.clock.now()) is None:
        return RedirectResponse("/login?said=is-set-up", status_code=303)
    return _setup_page(site, request, token=request.query_params.get("token", ""))


async def _set_up(site: Site, request: Request) -> Response:
    form = await request.form()
    token, email = str(form.get("token", "")), str(form.get("email", "")).strip()
    password = str(form.get("password", ""))
    try:
        if "@" not in email:
            raise InvalidError(
                "That is not an e-mail address.", problems=(("email", "needs an @"),)
            )
        session = await site.services.people.complete_setup(token, email=email, password=password)
    except LifesignError as error:
        return _setup_page(site, request, token=token, email=email, error=error)
    return _with_session(request, to("/", said="welcome"), session)


async def _log_out(site: Site, request: Request, _scope: Scope) -> Response:
    await site.services.people.log_out(request.cookies.get(SESSION_COOKIE, ""))
    response = to("/login", said="signed-out")
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _with_session(request: Request, response: Response, token: str) -> Response:
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=SESSION_MAX_AGE_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return response


def _login_page(
    site: Site,
    request: Request,
    *,
    wanted: str,
    email: str = "",
    error: LifesignError | None = None,
) -> Response:
    context = {
        "look": look_of(request),
        "next": safe_next(wanted),
        "email": email,
        "error": error,
        "said": request.query_params.get("said", ""),
    }
    return site.renderer.page("login.html", context, status=error.status if error else 200)


def _setup_page(
    site: Site,
    request: Request,
    *,
    token: str,
    email: str = "",
    error: LifesignError | None = None,
) -> Response:
    context = {"look": look_of(request), "token": token, "email": email, "error": error}
    return site.renderer.page("setup.html", context, status=error.status if error else 200)
