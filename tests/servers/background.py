"""A local server in a thread of its own, for tests of code that runs its own event loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from queue import Queue
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def in_background(make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Enter what `make` gives on another thread's loop; leave it when the block ends."""
    started: Queue[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def stay() -> None:
        stop = asyncio.Event()
        async with make() as server:
            started.put((server, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(stay()))
    thread.start()
    server, loop, stop = started.get(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)
