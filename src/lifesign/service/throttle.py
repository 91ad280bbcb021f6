"""Guessing is made slow: failures empty buckets that fill again with time.

An account is refused only to the address that guessed at it: whoever knows an e-mail address could lock its owner
out otherwise. Guesses from many addresses make every sign-in to the account wait, the owner's too, but not fail.
"""

import ipaddress
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


FREE_FAILURES = 10
"""Failures of one account, from all addresses, that slow nobody down."""
DELAY_PER_FAILURE_S = 0.1
MAX_DELAY_S = 8.0
"""Long enough to make guessing from many addresses dear, short enough that the owner still waits for it."""


class SignInLimits:
    """What wrong passwords cost: by address, by account at an address, and by account."""

    def __init__(self, clock: Clock) -> None:
        # An office may stand behind one address; five guesses at one account are more than a typing error.
        self._by_place = Throttle(clock, burst=20, every_s=10.0)
        self._by_pair = Throttle(clock, burst=5, every_s=30.0)
        self._by_account = Throttle(clock, burst=100, every_s=30.0)

    def enter(self, account: str, remote: str) -> float:
        """Count one attempt; how many seconds it has to wait. Raises ThrottledError when none is left."""
        place = place_of(remote)
        pair = f"{place} {account}"
        self._by_place.check(place)
        self._by_pair.check(pair)
        excess = self._by_account.failures(account) - FREE_FAILURES
        # Counted before the slow look at the password: of guesses that come at once all would pass the check.
        self._by_place.note_failure(place)
        self._by_pair.note_failure(pair)
        self._by_account.note_failure(account)
        return min(MAX_DELAY_S, max(0.0, excess * DELAY_PER_FAILURE_S))

    def succeed(self, account: str, remote: str) -> None:
        """The attempt was no guess."""
        place = place_of(remote)
        self._by_place.give_back(place)
        self._by_pair.forgive(f"{place} {account}")
        self._by_account.give_back(account)


def place_of(remote: str) -> str:
    """The address that attempts are counted by; of IPv6 the /64, all of which one machine may use (RFC 6177)."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


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

    def failures(self, key: str) -> float:
        """How many failures of the key have not been made up for by time."""
        return self._burst - self._filled(key).tokens

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
