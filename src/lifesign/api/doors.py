"""Who comes in, and how far: a bearer token or the browser's session, and the grant that each route asks for."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request

from lifesign.core.errors import ForbiddenError, UnauthenticatedError
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.people import People

SESSION_COOKIE = "lifesign_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Doorkeeper:
    """Tells who is calling."""

    def __init__(self, people: People, *, public_url: str) -> None:
        self._people = people
        self._public_origin = urlsplit(public_url)

    async def admit(self, request: Request) -> Scope:
        """The caller's scope.

        A bearer token is looked at first and alone. The cookie counts for requests that change something only when
        the browser says that they come from our own pages. Raises UnauthenticatedError, ForbiddenError.
        """
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._people.authenticate_token(secret.strip())
        cookie = request.cookies.get(SESSION_COOKIE, "")
        if not cookie:
            raise UnauthenticatedError(
                "No token and no session came with the request.",
                remedy="Send `Authorization: Bearer lsn_…`; make a token in the settings or with `lifesign token`.",
            )
        scope = await self._people.session(cookie)
        if request.method not in _SAFE_METHODS and not self._is_same_origin(request):
            raise ForbiddenError(
                "The request carries a session but does not come from this site's own pages.",
                remedy="Use a token for calls from elsewhere.",
            )
        return scope

    def _is_same_origin(self, request: Request) -> bool:
        """What the browser says of the page that asks (Fetch metadata, else Origin); silence is a no."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = urlsplit(request.headers.get("origin", ""))
        if origin.scheme not in ("http", "https"):
            return False
        public = (self._public_origin.scheme, self._public_origin.netloc)
        return (
            origin.netloc == request.headers.get("host") or (origin.scheme, origin.netloc) == public
        )


class Needs:
    """A route's policy: the grant it asks for. A test fails for a route without one."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

    async def __call__(self, request: Request) -> Scope:
        """The caller's scope, which includes the grant."""
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        scope = await doorkeeper.admit(request)
        require(scope, self.grant)
        return scope


Reader = Annotated[Scope, Depends(Needs(Grant.READ))]
Operator = Annotated[Scope, Depends(Needs(Grant.OPERATE))]
Admin = Annotated[Scope, Depends(Needs(Grant.ADMIN))]
