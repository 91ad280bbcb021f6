"""One connection: a transport, an optional TLS layer of our own, and one deadline for all that waits on it.

TLS runs over memory BIOs inside the protocol instead of the loop's TLS. That costs the same under uvloop and
stock asyncio, lets the handshake be timed apart, and keeps the TLS object after a *failed* handshake, so the
certificates are known even when they are refused. Nothing is sent before they are verified.
"""

import asyncio
import ssl
from typing import Protocol, cast

from lifesign.core.errors import LifesignError

HANDSHAKE_CAP = 256 * 1024
BACKLOG_CAP = 256 * 1024
_READ_SIZE = 256 * 1024


class Consumer(Protocol):
    """Who reads a stream: called from the loop, must not block or raise."""

    def feed(self, data: bytes, /) -> None:
        """Take what has come."""

    def eof(self, error: OSError | None, /) -> None:
        """Learn that no more will come, and why when it was an error (`TimeoutError`: the deadline)."""


class StreamClosedError(LifesignError):
    """The stream was closed by us and cannot be used: a bug of the caller."""


class Stream(asyncio.Protocol):
    """A dialled connection. Whoever dialled it closes it; `close` and `abort` may be called at any time."""

    __slots__ = (
        "_backlog",
        "_consumer",
        "_deadline",
        "_handshake_bytes",
        "_handshaking",
        "_incoming",
        "_loop",
        "_outgoing",
        "_timer",
        "_waiter",
        "address",
        "error",
        "lost",
        "tls",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.transport: asyncio.Transport | None = None
        self.address = ""
        self.tls: ssl.SSLObject | None = None
        self.error: OSError | None = None
        self.lost = False
        self._incoming = self._outgoing = cast("ssl.MemoryBIO", None)
        self._handshaking = False
        self._handshake_bytes = 0
        self._consumer: Consumer | None = None
        self._backlog: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.tls is None:
            self._deliver(data)
            return
        self._incoming.write(data)
        if self._handshaking:
            self._handshake_bytes += len(data)
            self._shake()
        else:
            self._decrypt()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        error = exc if isinstance(exc, OSError) else None
        self._end(self.error or error)

    # What the owner calls.

    def limit(self, deadline: float) -> None:
        """End everything at `deadline`, an instant of the loop clock."""
        if deadline == self._deadline and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = deadline
        self._timer = self._loop.call_at(deadline, self._expire)

    def attach(self, consumer: Consumer) -> None:
        """Give all that comes from now on, and what has come unread, to `consumer`."""
        self._consumer = consumer
        backlog, self._backlog = self._backlog, []
        for data in backlog:
            consumer.feed(data)
        if self.lost:
            consumer.eof(self.error)

    def write(self, data: bytes) -> None:
        """Send, encrypted when TLS is on. What cannot be sent shows as the end of the stream."""
        transport = self.transport
        if transport is None:
            raise StreamClosedError("The stream was written to before it was connected.")
        if self.tls is None:
            transport.write(data)
            return
        try:
            view = memoryview(data)
            while view:
                view = view[self.tls.write(view) :]
        except ssl.SSLError as error:
            self._end(error)
            return
        transport.write(self._outgoing.read())

    async def wait(self) -> None:
        """Sleep until `wake`, the end of the stream (raised as its error if it has one) or the deadline."""
        if self.error is not None:
            raise self.error
        if self.lost:
            return
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def wake(self) -> None:
        """Let `wait` return."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def pause(self) -> None:
        """Stop reading: the peer feels it as a full window."""
        if self.transport is not None and not self.lost:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.transport is not None and not self.lost and not self.transport.is_closing():
            self.transport.resume_reading()

    @property
    def is_closed(self) -> bool:
        """Whether either side has ended it."""
        return self.lost or (self.transport is not None and self.transport.is_closing())

    def close(self) -> None:
        """Close at once; nothing is owed to the peer by a probe."""
        self._consumer = None
        self._backlog.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.transport is not None:
            self.transport.abort()

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands. Raises `ssl.SSLError` (also verification), `OSError` or `TimeoutError`.

        After a failure `tls` still gives what the peer sent.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._handshaking = True
        for data in self._backlog:
            self._incoming.write(data)
        self._backlog.clear()
        self._shake()
        while self._handshaking:
            if self.lost and self.error is None:
                raise ConnectionResetError("closed during the handshake")
            await self.wait()

    # Inside.

    def _shake(self) -> None:
        try:
            cast("ssl.SSLObject", self.tls).do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            if self._handshake_bytes > HANDSHAKE_CAP:
                self._end(ssl.SSLError("the handshake is larger than 256 kB"))
            return
        except ssl.SSLError as error:
            self._flush()
            self._end(error)
            return
        self._handshaking = False
        self._flush()
        self.wake()
        self._decrypt()

    def _flush(self) -> None:
        if self._outgoing.pending and self.transport is not None:
            self.transport.write(self._outgoing.read())

    def _decrypt(self) -> None:
        tls = cast("ssl.SSLObject", self.tls)
        try:
            while True:
                data = tls.read(_READ_SIZE)
                if not data:
                    self._end(None)
                    return
                self._deliver(data)
                if self._incoming.pending == 0 and tls.pending() == 0:
                    return
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self._end(None)
        except ssl.SSLError as error:
            self._end(error)

    def _deliver(self, data: bytes) -> None:
        if self._consumer is not None:
            self._consumer.feed(data)
            return
        self._backlog.append(data)
        if sum(map(len, self._backlog)) > BACKLOG_CAP:
            self.pause()

    def _expire(self) -> None:
        self._timer = None
        self._end(TimeoutError("deadline"))

    def _end(self, error: OSError | None) -> None:
        """No more will come: tell the consumer and whoever waits, once, and let the transport go."""
        if error is not None and self.error is None:
            self.error = error
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.eof(self.error)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            if self.error is not None:
                waiter.set_exception(self.error)
            else:
                waiter.set_result(None)
        if self.transport is not None:
            self.transport.abort()
