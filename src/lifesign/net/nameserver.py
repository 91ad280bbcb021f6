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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.DatagramTransport", transport).sendto(self._wire)

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
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Exchange(question, done), remote_addr=server
    )
    try:
        return await done
    finally:
        transport.abort()
        # A future that failed after its waiter went away must not be reported as forgotten.
        if done.done() and not done.cancelled():
            done.exception()
        else:
            done.cancel()


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
