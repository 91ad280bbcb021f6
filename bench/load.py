"""A load of HTTP requests over kept-alive connections, from one process and one loop."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """What came back: answers by status, and those marks that were acknowledged."""

    answers: dict[int, int] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)

    @property
    def good(self) -> int:
        """Answers with status 200."""
        return self.answers.get(200, 0)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its bytes, and a mark that is kept when the answer is 200 (empty: none is kept)."""

    raw: bytes
    mark: str = ""


def get(path: str, *, host: str) -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def post(path: str, body: str, *, host: str) -> bytes:
    """The bytes of a POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


async def run_load(
    port: int, make: Callable[[int], Request], *, seconds: float, connections: int
) -> Tally:
    """Keep `connections` requests in flight for `seconds`; a connection that breaks ends its worker quietly.

    `make(n)` gives the n-th request.
    """
    tally, counter = Tally(), iter(range(1 << 60))
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_worker(port, make, counter=counter, until=until, tally=tally))
    return tally


async def _worker(
    port: int,
    make: Callable[[int], Request],
    *,
    counter: Iterator[int],
    until: float,
    tally: Tally,
) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    try:
        while time.monotonic() < until:
            request = make(next(counter))
            writer.write(request.raw)
            status = await _answer(reader)
            tally.answers[status] = tally.answers.get(status, 0) + 1
            if status == 200 and request.mark:
                tally.acknowledged.append(request.mark)
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))
    return int(lines[0].split()[1])
