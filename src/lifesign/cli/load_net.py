"""The network of a load test: whom it reaches, and what goes over it."""

import asyncio

from lifesign.cli.load_tally import Tally
from lifesign.net import Net
from lifesign.net.fence import NEARBY, Fence
from lifesign.net.stream import Stream


class CountedStream(Stream):
    """A stream that counts what comes off the wire, and what is sent before it is encrypted."""

    __slots__ = ("_tally",)

    def __init__(self, loop: asyncio.AbstractEventLoop, tally: Tally) -> None:
        super().__init__(loop)
        self._tally = tally

    def data_received(self, data: bytes) -> None:
        self._tally.bytes_received += len(data)
        super().data_received(data)

    def write(self, data: bytes) -> None:
        """Send, and count."""
        self._tally.bytes_sent += len(data)
        super().write(data)


class LoadNet(Net):
    """The network of a load test: it counts, and it reaches loopback and private addresses alone unless told."""

    tally: Tally

    @classmethod
    def fenced(cls, tally: Tally, *, anywhere: bool) -> "LoadNet":
        """The judgement is that of the address which is really connected to, whatever the name says."""
        plain = Net.open()
        fence = plain.fence if anywhere else Fence(only=NEARBY)
        net = cls(fence, plain.resolver, plain.trust)
        net.tally = tally
        return net

    def new_stream(self, loop: asyncio.AbstractEventLoop) -> Stream:
        """A stream that counts."""
        self.tally.connections += 1
        return CountedStream(loop, self.tally)
