"""One question to one name server: over UDP, and over TCP when the answer was cut."""

import asyncio
import struct
from typing import cast

import dns.exception
import dns.flags
import dns.message

Server = tuple[str, int]


class _Exchange(asyncio.DatagramProtocol):
    """Sends a question and waits for the answer to it; what does not fit the question is ignored."""

    def __init__(self, question: dns.message.QueryMessage, done: asyncio.Future[bytes]) -> None:
        self._question = question
        self._wire = question.to_wire()
        self._done = done
        self._transport: asyncio.DatagramTransport | None = None
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        if self._is_over:
            self._transport.abort()
        else:
            self._transport.sendto(self._wire)

    def end(self) -> None:
        """Give the socket back, also one that is still being made: uvloop forgets it when its maker is cancelled."""
        self._is_over = True
        if self._transport is not None:
            self._transport.abort()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        # The socket is connected, so only the asked server can answer; the id must match as well.
        if data[:2] == self._wire[:2] and not self._done.done():
            self._done.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed"))


async def ask(
    question: dns.message.QueryMessage, server: Server, *, deadline: float
) -> dns.message.Message | OSError:
    """The server's answer, or why there was none (`TimeoutError`: none before `deadline`)."""
    try:
        async with asyncio.timeout_at(deadline):
            answer = _read(await _over_udp(question, server), question)
            if answer is None or answer.flags & dns.flags.TC:
                answer = _read(await _over_tcp(question, server), question)
            return answer if answer is not None else OSError("the answer cannot be read")
    except OSError as error:
        return error
    except EOFError:
        return ConnectionResetError("closed")


async def _over_udp(question: dns.message.QueryMessage, server: Server) -> bytes:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()
    # It may fail after its waiter went away, even while the socket is being made: that is no forgotten error.
    done.add_done_callback(lambda failed: failed.cancelled() or failed.exception())
    exchange = _Exchange(question, done)
    try:
        await loop.create_datagram_endpoint(lambda: exchange, remote_addr=server)
        return await done
    finally:
        exchange.end()


async def _over_tcp(question: dns.message.QueryMessage, server: Server) -> bytes:
    reader, writer = await asyncio.open_connection(*server)
    try:
        wire = question.to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(length)
    finally:
        writer.transport.abort()


def _read(data: bytes, question: dns.message.QueryMessage) -> dns.message.Message | None:
    try:
        answer = dns.message.from_wire(data)
    except dns.exception.DNSException:
        return None
    return answer if question.is_response(answer) else None
