"""What a program said besides its answers: stray lines on stdout, the end of stderr, how it ended; in words for people."""

import signal
from dataclasses import dataclass, field

from lifesign.probes.mcp.client.answers import Exchange
from lifesign.probes.mcp.client.process import TAIL_BYTES

MAX_STRAYS = 3
"""How many lines that are no messages are kept; all are counted."""

MAX_STRAY_CHARS = 200
MAX_STDERR_CHARS = 1000
"""How much of the end of stderr is told."""

MAX_EVIDENCE_BYTES = 2000


@dataclass(slots=True)
class Strays:
    """What came on stdout and is no message."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def note(self, line: bytes) -> None:
        """Count it, and keep it when it is among the first."""
        self.count += 1
        if len(self.shown) < MAX_STRAYS:
            self.shown.append(line[: 16 * MAX_STRAY_CHARS].decode(errors="replace"))


def counted(lines: int) -> str:
    """A number of lines in words."""
    return "one line" if lines == 1 else f"{lines} lines"


def last_lines(tail: str, exchange: Exchange) -> list[str]:
    """The end of stderr in whole lines, each without what looks like a credential, oldest first."""
    for secret in exchange.secrets:
        tail = tail.replace(secret, "[redacted]")
    lines = tail.splitlines()
    if len(tail) >= TAIL_BYTES // 2 and len(lines) > 1:
        # The first one may begin in the middle, perhaps of a credential.
        del lines[0]
    kept: list[str] = []
    room = MAX_STDERR_CHARS
    for line in reversed(lines):
        shown = exchange.redacted(line)[:room]
        room -= len(shown) + 1
        if shown:
            kept.append(f"stderr: {shown}")
        if room <= 0:
            break
    return kept[::-1]


def end_of(status: int | None) -> str:
    if status is None:
        return "closed its stdout"
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
