"""Summaries that can be added up: latency histograms, run summaries, exact seconds by state.

A histogram counts values in buckets whose bounds grow by the factor `GAMMA`, after Masson, Rim and Lee,
"DDSketch: A Fast and Fully-Mergeable Quantile Sketch" (VLDB 2019, https://arxiv.org/abs/1908.10693).
Merging adds counts, so the quantile of a year is as exact as that of an hour.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Final

from lifesign.core.model import State, Transition

RELATIVE_ERROR: Final = 0.015
"""How far a quantile may be from the true value, as a fraction of it (the promise is 0.02)."""

GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
SMALLEST: Final = 0.001
"""Values at or below this (milliseconds: one microsecond) share the first bucket."""

_LOG_GAMMA: Final = math.log(GAMMA)
_LOWEST: Final = math.ceil(math.log(SMALLEST) / _LOG_GAMMA)
_CODEC: Final = 1


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fell into each bucket; bucket i holds values in (GAMMA^(i-1), GAMMA^i]."""

    buckets: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[float]) -> "Histogram":
        """The histogram of some values, which are 0 or more."""
        return cls(dict(Counter(map(_bucket, values))))

    @property
    def count(self) -> int:
        """How many values it holds."""
        return sum(self.buckets.values())

    def merge(self, *others: "Histogram") -> "Histogram":
        """All values of all of them."""
        total = dict(self.buckets)
        for other in others:
            for bucket, count in other.buckets.items():
                total[bucket] = total.get(bucket, 0) + count
        return Histogram(total)

    def quantile(self, q: float) -> float | None:
        """The value of rank ⌊q·(n − 1)⌋ within `RELATIVE_ERROR`; None of nothing."""
        return self.quantiles(q)[0]

    def quantiles(self, *rising: float) -> tuple[float | None, ...]:
        """Several quantiles, the smallest first, in one pass over the buckets."""
        last = self.count - 1
        ranks = [math.floor(q * last) for q in rising]
        if last < 0:
            return (None,) * len(ranks)
        found: list[float] = []
        seen = 0
        for bucket, count in sorted(self.buckets.items()):
            seen += count
            while len(found) < len(ranks) and ranks[len(found)] < seen:
                found.append(2 * GAMMA**bucket / (GAMMA + 1))
        return tuple(found)

    def encode(self) -> bytes:
        """A codec number, then (gap to the bucket before, count) as variable-length integers."""
        out = bytearray([_CODEC])
        before = _LOWEST
        for bucket, count in sorted(self.buckets.items()):
            _put(out, bucket - before)
            _put(out, count)
            before = bucket
        return bytes(out)

    @classmethod
    def decode(cls, blob: bytes) -> "Histogram":
        """The histogram that was encoded; raises ValueError for anything else."""
        _check_codec(blob)
        numbers = _numbers(blob[1:])
        if len(numbers) % 2:
            raise ValueError("A latency histogram ends with a bucket that has no count.")
        places = accumulate(numbers[::2], initial=_LOWEST)
        next(places)
        return cls(dict(zip(places, numbers[1::2], strict=True)))


def encode_all(histograms: Iterable[Histogram]) -> bytes:
    """Several histograms in one text: a codec number, then each one's length in bytes and its buckets."""
    out = bytearray([_CODEC])
    for histogram in histograms:
        body = _packed(histogram)
        _put(out, len(body))
        out += body
    return bytes(out)


def decode_all(blob: bytes) -> list[Histogram]:
    """The histograms that were encoded together; raises ValueError for anything else."""
    _check_codec(blob)
    found: list[Histogram] = []
    at = 1
    while at < len(blob):
        size, at = _take(blob, at)
        if at + size > len(blob):
            raise ValueError("A latency histogram is shorter than it says.")
        found.append(_unpacked(blob[at : at + size]))
        at += size
    return found


def _packed(histogram: Histogram) -> bytes:
    """One byte for each bucket whose gap and count are below 16, nearly all of an hour's; else 0 and both in full."""
    out = bytearray()
    before = _LOWEST
    for bucket, count in sorted(histogram.buckets.items()):
        gap = bucket - before
        if 0 < gap < 16 and count < 16:
            out.append(gap << 4 | count)
        else:
            out.append(0)
            _put(out, gap)
            _put(out, count)
        before = bucket
    return bytes(out)


def _unpacked(body: bytes) -> Histogram:
    buckets: dict[int, int] = {}
    place, at = _LOWEST, 0
    while at < len(body):
        byte = body[at]
        at += 1
        if byte:
            gap, count = byte >> 4, byte & 0x0F
        else:
            gap, at = _take(body, at)
            count, at = _take(body, at)
        if not count:
            raise ValueError("A latency histogram has a bucket without values.")
        place += gap
        buckets[place] = count
    return Histogram(buckets)


def _check_codec(blob: bytes) -> None:
    if blob[:1] != bytes([_CODEC]):
        raise ValueError(f"Not a latency histogram of codec {_CODEC}: it begins {blob[:1]!r}.")


def _bucket(value: float) -> int:
    return _LOWEST if value <= SMALLEST else math.ceil(math.log(value) / _LOG_GAMMA)


def _put(out: bytearray, number: int) -> None:
    """Append a number of 0 or more, seven bits a byte, low bits first (LEB128)."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _take(blob: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    number = shift = 0
    for place in range(at, len(blob)):
        byte = blob[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7
    raise ValueError("A latency histogram ends in the middle of a number.")


def _numbers(blob: bytes) -> list[int]:
    numbers: list[int] = []
    at = 0
    while at < len(blob):
        if blob[at:].isascii():
            # What is left are numbers of one byte each: nearly all of an hour's, and this is most of the work.
            return numbers + list(blob[at:])
        number, at = _take(blob, at)
        numbers.append(number)
    return numbers


PhaseSums = Mapping[str, tuple[float, int]]
"""For each phase the sum of its milliseconds and how many runs had it, in the order first seen."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Many runs in one value. `latency` and the phases count the runs that were up or degraded.

    `phase_latency` holds a histogram for each phase; what was summed up by an older version has none.
    """

    states: Mapping[State, int] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    phases: PhaseSums = field(default_factory=dict)
    phase_latency: Mapping[str, Histogram] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many runs it sums up."""
        return sum(self.states.values())

    @property
    def mean_phases_ms(self) -> Mapping[str, float]:
        """The mean of each phase over the runs that had it."""
        return {name: total / count for name, (total, count) in self.phases.items()}


@dataclass(frozen=True, slots=True)
class Sample:
    """The part of one run that is summed up."""

    state: State
    duration_ms: float
    phases_ms: Mapping[str, float]


def summarize(samples: Sequence[Sample]) -> Summary:
    """Sum up single runs."""
    answered = [s for s in samples if s.state in {State.UP, State.DEGRADED}]
    values: dict[str, list[float]] = {}
    for sample in answered:
        for name, ms in sample.phases_ms.items():
            values.setdefault(name, []).append(ms)
    return Summary(
        states=dict(Counter(sample.state for sample in samples)),
        latency=Histogram.of(sample.duration_ms for sample in answered),
        phases={name: (math.fsum(found), len(found)) for name, found in values.items()},
        phase_latency={name: Histogram.of(found) for name, found in values.items()},
    )


def combine(summaries: Sequence[Summary]) -> Summary:
    """Sum up summaries; in any order and grouping the counts and buckets come out the same."""
    states: Counter[State] = Counter()
    sums: dict[str, tuple[float, int]] = {}
    histograms: dict[str, list[Histogram]] = {}
    for summary in summaries:
        states.update(summary.states)
        for name, (total, count) in summary.phases.items():
            so_far, seen = sums.get(name, (0.0, 0))
            sums[name] = (so_far + total, seen + count)
        for name, histogram in summary.phase_latency.items():
            histograms.setdefault(name, []).append(histogram)
    return Summary(
        states=dict(states),
        latency=Histogram().merge(*(summary.latency for summary in summaries)),
        phases=sums,
        phase_latency={name: found[0].merge(*found[1:]) for name, found in histograms.items()},
    )


def seconds_by_state(
    changes: Sequence[Transition], *, since: datetime, until: datetime, state: State | None
) -> Mapping[State | None, float]:
    """Exact seconds in each state within a window; None stands for time before any state was known.

    `state` is the one at `since`, None when it is not known; `changes` are in order of time. Changes outside
    the window are ignored.
    """
    seconds: dict[State | None, float] = {}
    at = since
    for change in changes:
        if not since <= change.at < until:
            continue
        seconds[state] = seconds.get(state, 0.0) + (change.at - at).total_seconds()
        at, state = change.at, change.after
    if at < until:
        seconds[state] = seconds.get(state, 0.0) + (until - at).total_seconds()
    return seconds


def uptime_ratio(seconds: Mapping[State | None, float]) -> float | None:
    """1 − down / (observed − maintenance); what is unknown, paused or without data counts for neither.

    None when nothing was observed.
    """
    down = seconds.get(State.DOWN, 0.0)
    observed = down + seconds.get(State.UP, 0.0) + seconds.get(State.DEGRADED, 0.0)
    return None if observed <= 0 else 1 - down / observed
