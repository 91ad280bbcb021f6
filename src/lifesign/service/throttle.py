"""Guessing is made slow: failures per account and per address empty a bucket that fills again with time."""

import math
from collections import OrderedDict
from dataclasses import dataclass

from lifesign.clock import Clock
from lifesign.core.errors import BusyError

MAX_KEYS = 10_000
"""Accounts and addresses that are remembered; the least recently seen is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class ThrottledError(BusyError):
    """Too many failed attempts; `retry_after_s` seconds later one more is allowed."""

    status = 429
    code = "throttled"

    def __init__(self, retry_after_s: float) -> None:
        seconds = max(1, math.ceil(retry_after_s))
        super().__init__(
            "Too many failed attempts to sign in.", remedy=f"Try again in {seconds} seconds."
        )
        self.retry_after_s = seconds


class Throttle:
    """Token buckets by key: `burst` failures at once, then one for every `every_s` seconds."""

    def __init__(self, clock: Clock, *, burst: int, every_s: float) -> None:
        self._clock = clock
        self._burst = burst
        self._every_s = every_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise ThrottledError when the key has no attempt left."""
        bucket = self._filled(key)
        if bucket.tokens < 1:
            raise ThrottledError((1 - bucket.tokens) * self._every_s)

    def note_failure(self, key: str) -> None:
        """Take one attempt away."""
        bucket = self._filled(key)
        bucket.tokens = max(0.0, bucket.tokens - 1)
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Forget the failures of a key, after a success."""
        self._buckets.pop(key, None)

    def give_back(self, key: str) -> None:
        """Return the one attempt that was counted and turned out right; earlier failures stay."""
        bucket = self._filled(key)
        bucket.tokens = min(float(self._burst), bucket.tokens + 1)
        self._buckets[key] = bucket

    def _filled(self, key: str) -> _Bucket:
        now_s = self._clock.monotonic()
        bucket = self._buckets.get(key) or _Bucket(float(self._burst), now_s)
        gained = (now_s - bucket.at_s) / self._every_s
        return _Bucket(min(float(self._burst), bucket.tokens + gained), now_s)
