"""A server that asks us to wait (429 or 503 with Retry-After) is not asked again before that time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from lifesign.core.model import Failure
from lifesign.probes.mcp.client.answers import AnswerError
from lifesign.probes.registry import ProbeContext

MEMORY = "mcp.patience"
LONGEST_S = 900.0
"""A longer wish is cut: a server that recovered should not be called down for hours because it once was busy."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The failure that goes on being told, and until which monotonic instant nothing is sent."""

    failure: Failure | None = None
    until: float = 0.0

    @classmethod
    def of(cls, ctx: ProbeContext) -> "Patience":
        """What was learned before; empty when there is nothing to wait for any more."""
        known = ctx.memory.get(MEMORY)
        if isinstance(known, cls):
            if ctx.clock.monotonic() < known.until:
                return known
            del ctx.memory[MEMORY]
        return cls()

    @classmethod
    def learn(cls, ctx: ProbeContext, error: AnswerError) -> None:
        """Remember how long the server wants to be left alone, if it says so."""
        if error.answer.status not in (429, 503):
            return
        wait_s = retry_after_s(error.answer.headers.get("retry-after", ""), ctx.clock.now())
        if wait_s > 0:
            until = ctx.clock.monotonic() + min(wait_s, LONGEST_S)
            ctx.memory[MEMORY] = cls(error.failure, until)


def retry_after_s(text: str, now: datetime) -> float:
    """Seconds that `Retry-After` asks for (RFC 9110 §10.2.3: seconds, or a date); 0 when it says nothing usable."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    # Dates of the two older forms name no zone and mean UTC.
    aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
