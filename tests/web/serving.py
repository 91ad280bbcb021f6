"""The pages over the fakes behind a real loopback server, for a real browser."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from lifesign.web.app import build_pages
from web.fake_kinds import fake_kinds
from web.fakes import FakeServices, fake_clock


class Stream:
    """The event stream as the REST face would serve it; `say` speaks to every listener, from any thread."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[tuple[str, dict[str, object]] | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.heard = threading.Event()

    def say(self, type: str, /, **news: object) -> None:
        assert self._loop is not None
        for queue in list(self._queues):
            self._loop.call_soon_threadsafe(queue.put_nowait, (type, news))

    def end(self) -> None:
        if self._loop is not None:
            for queue in list(self._queues):
                self._loop.call_soon_threadsafe(queue.put_nowait, None)

    async def serve(self, _request: Request) -> StreamingResponse:
        self._loop = asyncio.get_running_loop()
        return StreamingResponse(self._lines(), media_type="text/event-stream")

    async def _lines(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[tuple[str, dict[str, object]] | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield ": here\n\n"
            self.heard.set()
            while (news := await queue.get()) is not None:
                yield f"event: {news[0]}\ndata: {json.dumps(news[1])}\n\n"
        finally:
            self._queues.discard(queue)


def fake_app(services: FakeServices, stream: Stream) -> Starlette:
    """An application of the pages alone, with an event stream beside them."""
    pages = build_pages(
        services.as_services(),
        kinds=fake_kinds(),
        clock=fake_clock(),
        config_file="/etc/lifesign/lifesign.yaml",
    )
    return Starlette(routes=[Route("/api/v1/events", stream.serve), *pages])


@contextmanager
def served(services: FakeServices) -> Iterator[tuple[str, Stream]]:
    """Serve the fakes on a free loopback port; gives the base address and the stream."""
    stream = Stream()
    config = uvicorn.Config(
        fake_app(services, stream), log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}", stream
        finally:
            stream.end()
            server.should_exit = True
            thread.join(timeout=10)
