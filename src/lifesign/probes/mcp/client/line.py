"""What the transports share: one message goes out, its answer comes back, whatever carries them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lifesign.probes.mcp.client.answers import Answer, Exchange
from lifesign.probes.mcp.client.wire import Notice

OnNotice = Callable[[Notice], None]
"""Called with every notification that comes before the reply, at the moment it comes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a server. `request_id` is None for a notification, which has no reply.

    `step` is the layer that failures of this message belong to, `headers` are what only this message carries
    (HTTP), `deadline` an earlier instant of the loop clock than the line's own. A message that may change something
    is not `repeatable`: it is never sent again where nobody knows whether it arrived (RFC 9110 §9.2.2).
    """

    step: str
    method: str
    body: bytes
    request_id: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    deadline: float | None = None
    on_notice: OnNotice | None = None
    repeatable: bool = True


class Line(Protocol):
    """One client's line to one server. It is used by one task at a time, except where `is_parallel`.

    Every method but `close` raises `NetError` with the failure that ends the probe.
    """

    @property
    def transport(self) -> str:
        """`http`, `sse` (the old transport of two addresses) or `stdio`."""

    @property
    def has_session(self) -> bool:
        """Whether the server opened a session that is to be ended."""

    @property
    def replied_at(self) -> float:
        """When the last reply had come (`time.perf_counter`)."""

    async def send(self, message: Message) -> Answer:
        """Send one message and return its answer; redirects that keep the method are followed."""

    def join(self, *, session: str, version: str) -> None:
        """Carry the session and the agreed version on every later message."""

    def exchange(self, message: Message) -> Exchange:
        """How the answer to a message is judged."""

    async def leave(self, deadline: float) -> None:
        """Say goodbye, so that the server can forget us; what it says to that is no matter."""

    def close(self) -> None:
        """Hang up."""
