"""HTTP/1.1 by hand over asyncio's streams: requests in, answers out, and every way to break off."""

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

from lifesign.testing.answers import Answer, Call, Feed, Part

COMMENT_S = 0.02
"""How often a stream of `comments` says that it is still there."""

MAX_BODY = 64 * 1024 * 1024


async def read_call(reader: asyncio.StreamReader, number: int) -> Call:
    """The next request of a connection.

    Raises `IncompleteReadError` when the client hung up, `LimitOverrunError` for a head over 64 kB and `ValueError`
    for what is no HTTP.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if "chunked" in headers.get("transfer-encoding", ""):
        return Call(method, path, headers, await _read_chunks(reader), number)
    length = int(headers.get("content-length", 0))
    if not 0 <= length <= MAX_BODY:
        raise ValueError(f"a body of {length} bytes is not read")
    return Call(method, path, headers, await reader.readexactly(length), number)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readline()).split(b";")[0], 16):
        if size > MAX_BODY - len(body):
            raise ValueError("the body is larger than is read")
        body += await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():
        continue
    return bytes(body)


async def send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, *, bodiless: bool
) -> bool:
    """Send an answer; whether the connection can take another request."""
    if answer.is_silent:
        await until_gone(reader)
        return False
    await asyncio.sleep(answer.delay)
    if answer.raw is not None:
        await _write(writer, answer.raw, is_chunked=False)
        return await _finish(reader, writer, "close" if answer.then == "end" else answer.then)
    writer.write(_head(answer))
    if answer.chunks is None:
        writer.write(b"" if bodiless else answer.body or b"")
        await writer.drain()
        return not answer.close_after if answer.then == "end" else await _cut(writer, answer.then)
    await _write(writer, answer.chunks, is_chunked=True)
    if answer.feed is not None:
        try:
            await _feed(reader, writer, answer.feed)
        finally:
            if answer.feed.ended is not None:
                answer.feed.ended()
        return False
    return await _finish(reader, writer, answer.then)


async def until_gone(reader: asyncio.StreamReader) -> None:
    """Wait until the client hangs up or the connection is dropped."""
    while await reader.read(65_536):
        continue


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off with RST instead of FIN."""
    plug = writer.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def _write(writer: asyncio.StreamWriter, parts: Iterable[Part], *, is_chunked: bool) -> None:
    for part in parts:
        if isinstance(part, bytes):
            writer.write(chunk(part) if is_chunked else part)
            await writer.drain()
        await asyncio.sleep(0 if isinstance(part, bytes) else part)


async def _feed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, feed: Feed) -> None:
    """Send what comes, until the client hangs up."""

    async def pump() -> None:
        with suppress(ConnectionError):
            while True:
                try:
                    async with asyncio.timeout(feed.keepalive):
                        said = await feed.queue.get()
                except TimeoutError:
                    said = b": still here\n\n"
                writer.write(chunk(said))
                await writer.drain()

    async with asyncio.TaskGroup() as tasks:
        pumping = tasks.create_task(pump())
        with suppress(ConnectionError):
            await until_gone(reader)
        pumping.cancel()


async def _finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, then: str) -> bool:
    if then == "end":
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True
    while then == "comments":
        writer.write(chunk(b": still here\n\n"))
        await writer.drain()
        await asyncio.sleep(COMMENT_S)
    if then == "hang":
        await until_gone(reader)
        return False
    return await _cut(writer, then)


async def _cut(writer: asyncio.StreamWriter, then: str) -> bool:
    if then == "reset":
        reset(writer)
    else:
        writer.close()
    return False


def _head(answer: Answer) -> bytes:
    headers = dict(answer.headers)
    if answer.chunks is not None:
        headers["Transfer-Encoding"] = "chunked"
    elif "Content-Length" not in headers:
        headers["Content-Length"] = str(len(answer.body or b""))
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
