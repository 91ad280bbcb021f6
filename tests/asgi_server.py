"""Any ASGI application on a real loopback socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def serving(app: ASGIApp, *, for_s: float = 30) -> AsyncIterator[str]:
    """The address of a running server, without a slash at its end; it stops after `for_s` in any case."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Embedded(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        async with asyncio.timeout(for_s), asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await server.ready.wait()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


class _Embedded(uvicorn.Server):
    """A server that says when it listens and leaves the signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
