"""`/mcp`: the Streamable HTTP transport with our bearer tokens in front; loads the SDK when first asked.

One POST is one exchange, in both eras of the protocol: nothing is remembered between two of them, so
there is no session to steal and a restart is not noticed.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as ASGIScope

from lifesign.clock import Clock
from lifesign.config import Config
from lifesign.core.errors import UnauthenticatedError
from lifesign.core.scope import Grant, Scope
from lifesign.mcp.doors import Doors
from lifesign.mcp.refusals import (
    bad_host,
    bad_origin,
    no_metadata,
    only_post,
    too_large,
    unauthorized,
)
from lifesign.mcp.step_up import step_up
from lifesign.service.services import Services

_MAX_BODY_BYTES = 1 << 20
"""Our largest sound request is below 2 kB."""

Authenticate = Callable[[str], Awaitable[Scope]]
_Handle = Callable[[ASGIScope, Receive, Send], Awaitable[None]]


@asynccontextmanager
async def mcp_app(
    services: Services, *, config: Config, clock: Clock, authenticate: Authenticate | None = None
) -> AsyncIterator[ASGIApp]:
    """The ASGI app to route `/mcp` to, for as long as the context is open.

    `authenticate` turns a bearer token into a scope or raises UnauthenticatedError; API tokens when absent.

    Enter it in the lifespan of the whole app: the SDK's task group lives in a task of this context.
    """
    face = MCPFace(
        services,
        doors=Doors.of(config),
        clock=clock,
        authenticate=authenticate or services.people.authenticate_token,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(face.keep(), name="mcp")
            try:
                yield face
            finally:
                keeper.cancel()
    except ExceptionGroup as group:
        # What fails within the context is told by its own type, as if there were no task group.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


class MCPFace:
    """The ASGI app: who is it, may they, then the SDK."""

    def __init__(
        self, services: Services, *, doors: Doors, clock: Clock, authenticate: Authenticate
    ) -> None:
        self._services = services
        self._authenticate = authenticate
        self._doors = doors
        self._clock = clock
        self._caller: ContextVar[Scope] = ContextVar("lifesign_mcp_caller")
        self._loading = asyncio.Lock()
        self._loaded: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._running = asyncio.Event()

    async def keep(self) -> None:
        """Wait until the SDK is loaded, then hold its task group until cancelled."""
        manager = await self._loaded
        async with manager.run():
            self._running.set()
            await asyncio.Event().wait()

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        refusal = self._closed_door(request)
        if refusal is None:
            try:
                caller = await self._identify(request)
            except UnauthenticatedError as error:
                refusal = unauthorized(error, had_token="authorization" in request.headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._exchange(caller, request, send)

    def _closed_door(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._doors.admits_host(host):
            return bad_host()
        if not self._doors.admits_origin(request.headers.get("origin", ""), host):
            return bad_origin()
        if not request.url.path.startswith("/mcp"):
            return no_metadata()
        # A GET would open a stream on which we never say anything, a DELETE ends a session we never began.
        return None if request.method == "POST" else only_post()

    async def _identify(self, request: Request) -> Scope:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise UnauthenticatedError(
                "This address needs an API token.",
                remedy="Send `Authorization: Bearer lsn_…`; make one with `lifesign token create`.",
            )
        return await self._authenticate(secret.strip())

    async def _exchange(self, caller: Scope, request: Request, send: Send) -> None:
        body = await _body_of(request)
        refusal = too_large(_MAX_BODY_BYTES) if body is None else None
        if body is not None and not caller.allows(Grant.OPERATE):
            refusal = step_up(body, caller)
        if refusal is not None or body is None:
            await cast("Response", refusal)(request.scope, request.receive, send)
            return
        handle = await self._handle()
        self._caller.set(caller)
        await handle(request.scope, _replayed(body, request.receive), send)

    async def _handle(self) -> _Handle:
        """The SDK's handler of requests; the first to ask waits some seconds while it is loaded."""
        async with self._loading:
            if not self._loaded.done():
                module = await asyncio.to_thread(importlib.import_module, "lifesign.mcp.server")
                server = module.build_server(self._services, self._caller.get, clock=self._clock)
                self._loaded.set_result(module.session_manager(server))
        await self._running.wait()
        return cast("_Handle", self._loaded.result().handle_request)


async def _body_of(request: Request) -> bytes | None:
    """The whole body, or None when it is larger than any request of ours."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            return None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body again, and then whatever comes (a disconnect)."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return pending.pop() if pending else await receive()

    return again
