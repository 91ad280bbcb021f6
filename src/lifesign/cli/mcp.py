"""`lifesign mcp`: the tools for assistants over standard input and output.

Where a daemon runs, the lines are carried to its `/mcp`. Otherwise the same tools work in this process
over the same database. Nothing but protocol is written to standard output.
"""

import asyncio
import importlib
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import httpx2

from lifesign.cli.client import (
    Data,
    Found,
    Place,
    Url,
    find_daemon,
    has_database,
    no_daemon,
    opened,
)
from lifesign.clock import SystemClock
from lifesign.core.scope import Grant, Scope
from lifesign.mcp.bridge import Bridge

_TIMEOUT = httpx2.Timeout(120.0, connect=5.0)
_MOST_LINES_WAITING = 64


def mcp(url: Url = None, data: Data = None) -> None:
    """Serve the tools for assistants over stdin and stdout (MCP); ends when stdin is closed."""
    place = Place.of(url, data)
    asyncio.run(_serve(place))


async def _serve(place: Place) -> None:
    with _stdout_for_protocol() as wire:
        found = await find_daemon(place)
        if found is not None:
            await _carry(place, found, wire)
        elif has_database(place):
            await _serve_here(place, wire)
        else:
            raise no_daemon(place, offline=True)


async def _carry(place: Place, found: Found, wire: BinaryIO) -> None:
    """Be a bridge between this process's streams and the daemon."""
    client = httpx2.AsyncClient(
        auth=_TokenOf(found, lambda: find_daemon(place)),
        timeout=_TIMEOUT,
        trust_env=place.url is not None,
    )
    async with client:
        await Bridge(client, f"{found.url}/mcp", _writer(wire)).run(lines_of(sys.stdin.buffer))


class _TokenOf(httpx2.Auth):
    """The daemon's token; learnt anew after a refusal, because a daemon that starts again has another."""

    def __init__(self, found: Found, again: Callable[[], Awaitable[Found | None]]) -> None:
        self._token = found.token
        self._again = again

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send with the token, and once more with a newer one after a 401."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code != httpx2.codes.UNAUTHORIZED:
            return
        found = await self._again()
        if found is not None and found.token != self._token:
            self._token = found.token
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request


async def _serve_here(place: Place, wire: BinaryIO) -> None:
    """Be the server too: the same face in this process, for whoever may read the data directory."""

    async def trusted(_secret: str) -> Scope:
        return Scope(actor="stdio", grant=Grant.OPERATE)

    # The face knows the services and so the database: 60 MB that the bridge need not pay.
    face_module = importlib.import_module("lifesign.mcp.http")
    async with (
        opened(place) as app,
        face_module.mcp_app(
            app.services, config=app.config, clock=SystemClock(), authenticate=trusted
        ) as face,
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=face), headers={"Authorization": "Bearer stdio"}
        ) as client,
    ):
        bridge = Bridge(client, "http://localhost/mcp", _writer(wire))
        await bridge.run(lines_of(sys.stdin.buffer))


@contextmanager
def _stdout_for_protocol() -> Iterator[BinaryIO]:
    """The real standard output; what anything else prints meanwhile goes to standard error."""
    sys.stdout.flush()
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        yield wire
    finally:
        sys.stdout.flush()
        os.dup2(wire.fileno(), 1)
        wire.close()


def _writer(wire: BinaryIO) -> Callable[[bytes], Awaitable[None]]:
    turn = asyncio.Lock()

    def put(line: bytes) -> None:
        wire.write(line + b"\n")
        wire.flush()

    async def write(line: bytes) -> None:
        # A client that does not read must not stop the loop.
        async with turn:
            await asyncio.to_thread(put, line)

    return write


async def lines_of(stream: BinaryIO) -> AsyncIterator[bytes]:
    """The lines of a blocking stream until it ends.

    They are read by a daemon thread, so that a stream which never ends does not hold up the exit.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes] = asyncio.Queue(_MOST_LINES_WAITING)

    def read() -> None:
        while True:
            line = stream.readline()
            asyncio.run_coroutine_threadsafe(waiting.put(line), loop).result()
            if not line:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while line := await waiting.get():
        yield line
