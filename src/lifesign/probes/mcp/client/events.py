"""Replies out of event streams, and what it means when none comes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from lifesign.core.model import Failure, Reason
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.answers import Exchange
from lifesign.probes.mcp.client.line import OnNotice
from lifesign.probes.mcp.client.sse import EventReader, ServerEvent
from lifesign.probes.mcp.client.wire import Fault, Notice, Reply, read_event

MAX_ANSWER = 4 * 1024 * 1024
"""The largest answer that is read, in bytes: a hundred times a rich tool list."""

MAX_ID_CHARS = 4096
RETRY_MS = 1000
"""How long a client waits before it resumes a stream whose server does not say, as the official SDKs do."""
LEAST_RETRY_MS = 100
DRAIN_S = 0.25
"""How long a stream may stay open after its reply before the connection is given up for it."""

_HANGS: Mapping[str, str] = MappingProxyType({"tools_call": "tool_timeout", "completion": "slow"})
_WITH_HANG = frozenset({"discover", "initialize", "tools_list", "resources", "prompts"})


class StreamEndedError(NetError):
    """A stream that closed without the reply; it may be resumed when the server has numbered its events."""


class EventStream:
    """The events of one response, and the replies among them."""

    def __init__(self, chunks: AsyncIterator[bytes], ended: "EventStream | None" = None) -> None:
        """`ended` is the stream that this one resumes: its last number and its wish to wait hold until others come."""
        self._chunks = chunks
        self._reader = EventReader()
        if ended is not None:
            self._reader.last_id, self._reader.retry_ms = ended.resumption
        self._waiting: deque[ServerEvent] = deque()
        self._size = 0

    @property
    def comments(self) -> int:
        """How many keep-alive comments came."""
        return self._reader.comments

    @property
    def resumption(self) -> tuple[str, int | None]:
        """What the server said of resuming: the last number, and how long to wait for it."""
        return self._reader.last_id, self._reader.retry_ms

    @property
    def last_id(self) -> str:
        """The number of the last event, with which the stream can be resumed; empty when events have none."""
        last_id = self._reader.last_id
        return last_id if len(last_id) <= MAX_ID_CHARS else ""

    @property
    def retry_ms(self) -> int:
        """How long a client waits before it resumes: as the server wants it, and never so short that it is a flood."""
        wanted = self._reader.retry_ms
        return RETRY_MS if wanted is None else max(wanted, LEAST_RETRY_MS)

    async def next(self) -> ServerEvent | None:
        """The next event that carries data; None at the end of the stream. Raises `NetError`."""
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                if event.data:
                    return event
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return None
            self._size += len(chunk)
            self._waiting.extend(self._reader.feed(chunk))

    async def reply(
        self, exchange: Exchange, request_id: int, on_notice: OnNotice | None = None
    ) -> tuple[Reply, bytes]:
        """The reply to a request and its text. An odd message is only told when no reply follows it.

        Raises `NetError` when the stream ends, breaks or stays silent before that.
        """
        odd: tuple[Fault, bytes] | None = None
        try:
            while (event := await self.next()) is not None:
                found = read_event(event.data, request_id)
                if isinstance(found, Notice):
                    if on_notice is not None:
                        on_notice(found)
                elif isinstance(found, Fault):
                    odd = odd or (found, event.data[:4000])
                else:
                    return found, event.data
        except NetError as error:
            if odd is None:
                raise NetError(self._stalled(exchange, error.failure)) from None
        if odd is not None:
            return odd
        if self._size >= MAX_ANSWER:
            raise NetError(too_large(exchange))
        raise StreamEndedError(self._ended(exchange))

    async def drain(self) -> None:
        """Read to the end so that the connection can be used again; not for long."""
        try:
            async with asyncio.timeout(DRAIN_S):
                async for _ in self._chunks:
                    pass
        except (TimeoutError, NetError):
            return

    def _ended(self, exchange: Exchange) -> Failure:
        """A stream that closed without a reply: for want of a frame, or of everything."""
        if self._reader.strays or self._reader.is_mid_event:
            what = "got an event stream whose events are not framed: `data:` or the closing empty line is missing"
            return exchange.failure("session", "sse_bad_framing", what)
        what = "got an event stream that closed without a reply"
        return exchange.failure("session", "sse_closed", what)

    def _stalled(self, exchange: Exchange, failure: Failure) -> Failure:
        if failure.code == "body_too_large":
            return too_large(exchange)
        if failure.reason is not Reason.TIMEOUT:
            return self._ended(exchange)
        alive = f" but {self.comments} keep-alive comments" if self.comments else ""
        what = f"opened an event stream with no reply{alive} until the deadline"
        return hang(exchange, what)


def hang(exchange: Exchange, what: str) -> Failure:
    """Silence where an answer of this step was due."""
    layer = exchange.step
    if layer in _HANGS:
        return exchange.failure(layer, _HANGS[layer], what)
    return exchange.failure(layer if layer in _WITH_HANG else "initialize", "hang", what)


def too_large(exchange: Exchange) -> Failure:
    """More than is read of one answer."""
    what = f"was answered with more than {MAX_ANSWER >> 20} MiB"
    return exchange.failure("http", "body_too_large", what)
