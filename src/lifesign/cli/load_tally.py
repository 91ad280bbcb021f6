"""What a load test measured: counts, latencies, errors by class, bytes; and the limits that it is held against."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lifesign.core.errors import InvalidError
from lifesign.core.model import Failure
from lifesign.core.rollup import Histogram
from lifesign.core.units import parse_duration

_BUFFERED = 4096
MAX_CLASSES = 200
"""Kinds of errors that are told apart; more than there are codes means that something is made up."""

_LATENCY_LIMIT = re.compile(r"\s*(p50|p95|p99|max)\s*>\s*(\S+)\s*")
_RATE_LIMIT = re.compile(r"\s*rate\s*<\s*(\d+(?:\.\d+)?)\s*")
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(slots=True)
class Trouble:
    """One class of errors: how many, and the first of them."""

    first: Failure
    count: int = 0


@dataclass(slots=True)
class Tally:
    """Fills while the test runs. Latencies are those of what went well, in milliseconds.

    `last_at` is when the last one came to an end (`time.perf_counter`).
    """

    ok: int = 0
    failed: int = 0
    sessions: int = 0
    connections: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    max_ms: float = 0.0
    last_at: float = 0.0
    troubles: dict[tuple[str, str], Trouble] = field(default_factory=dict)
    _merged: Histogram = field(default_factory=Histogram)
    _fresh: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many were asked and came to an end."""
        return self.ok + self.failed

    @property
    def error_rate(self) -> float:
        """The failed ones, as a fraction of all."""
        return self.failed / self.total if self.total else 0.0

    def succeed(self, took_ms: float) -> None:
        """Count one that went well."""
        self.ok += 1
        self.max_ms = max(self.max_ms, took_ms)
        self._fresh.append(took_ms)
        if len(self._fresh) >= _BUFFERED:
            self._fold()

    def fail(self, failure: Failure) -> None:
        """Count one that failed, by its class."""
        self.failed += 1
        key = (failure.layer, failure.code)
        if key in self.troubles or len(self.troubles) < MAX_CLASSES:
            self.troubles.setdefault(key, Trouble(failure)).count += 1

    def latencies(self) -> dict[str, float | None]:
        """p50, p95, p99 and max, None when nothing went well. Quantiles are within 1.5 % of the true ones."""
        self._fold()
        found = self._merged.quantiles(0.5, 0.95, 0.99)
        told: dict[str, float | None] = {
            name: None if value is None else round(min(value, self.max_ms), 3)
            for name, value in zip(("p50", "p95", "p99"), found, strict=True)
        }
        return told | {"max": round(self.max_ms, 3) if self.ok else None}

    def _fold(self) -> None:
        self._merged = self._merged.merge(Histogram.of(self._fresh))
        self._fresh.clear()


@dataclass(frozen=True, slots=True)
class Limit:
    """What must not be: `p95 > 500ms`, `rate < 100`, `errors > 1%`. `bound` is in ms, per second, or a fraction."""

    text: str
    subject: str
    bound: float

    @property
    def wanted(self) -> str:
        """The limit the other way round: `at most 500ms`."""
        bound = self.text.rpartition(" ")[2]
        return f"at least {bound}" if self.subject == "rate" else f"at most {bound}"


@dataclass(frozen=True, slots=True)
class Held:
    """A limit held against what was measured; `found` is None where nothing was."""

    limit: Limit
    found: float | None
    is_kept: bool


def limits_of(fail_on: Sequence[str], max_error_rate: str) -> tuple[Limit, ...]:
    """The limits that the options set. Raises InvalidError."""
    texts = [text for each in fail_on for text in each.split(",")]
    return (*(_limit(text) for text in texts), _error_limit(max_error_rate))


def _limit(text: str) -> Limit:
    if found := _RATE_LIMIT.fullmatch(text):
        return Limit(f"rate < {found[1]}/s", "rate", float(found[1]))
    if found := _LATENCY_LIMIT.fullmatch(text):
        try:
            bound_ms = parse_duration(found[2]).total_seconds() * 1000
        except ValueError as error:
            raise InvalidError(f"--fail-on: {error}.") from None
        return Limit(f"{found[1]} > {found[2]}", found[1], bound_ms)
    raise InvalidError(
        f"--fail-on {text[:40]!r} is no limit.",
        remedy="Write p50, p95, p99 or max with a duration, such as 'p95>500ms', or 'rate<100' a second.",
    )


def _error_limit(text: str) -> Limit:
    found = _SHARE.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise InvalidError(
            f"--max-error-rate {text[:40]!r} is no share.",
            remedy="Write it in percent, such as 1%.",
        )
    return Limit(f"errors > {found[1]}%", "errors", float(found[1]) / 100)


def hold(limits: Sequence[Limit], tally: Tally, rate: float) -> tuple[Held, ...]:
    """Every limit against what was measured; a latency of which nothing is known is not kept."""
    measured: Mapping[str, float | None] = {
        **tally.latencies(),
        "rate": rate,
        "errors": tally.error_rate if tally.total else None,
    }
    held = []
    for limit in limits:
        found = measured[limit.subject]
        is_kept = found is not None and (
            found >= limit.bound if limit.subject == "rate" else found <= limit.bound
        )
        held.append(Held(limit, found, is_kept))
    return tuple(held)
