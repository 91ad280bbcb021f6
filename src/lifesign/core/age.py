"""How old a timestamp is, in whatever common form it is written: for conditions such as `age(json("$.at")) < 5m`."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from lifesign.core.jsonpath import Absent
from lifesign.core.units import format_duration

MOST_AHEAD_S = 300.0
"""Clocks of two machines may differ by this much; a timestamp further ahead is wrong and says nothing of freshness."""

_LEAST_MS = 1e11
"""Numbers from here on are milliseconds: as seconds it is the year 5138, as milliseconds 1973. Then micro, then nano."""

_MAX_CHARS = 64
_LONGEST_S = 1e11


class Age(float):
    """Seconds since an instant; shown as a duration."""

    __slots__ = ()

    def __str__(self) -> str:
        """`7m20s`; a young age with its milliseconds, an old one without."""
        coarse = timedelta(seconds=int(self)) if self >= 60 else timedelta(seconds=self)
        return format_duration(coarse)


def age_of(value: object, now: datetime | None) -> Age | Absent:
    """How old the instant is that `value` means: RFC 3339, an HTTP date, or epoch seconds or milliseconds.

    A time without a zone is UTC. Up to five minutes ahead counts as just now; what is further ahead, or no
    time at all, has no age, and the answer says why.
    """
    if isinstance(value, Absent):
        return value
    if now is None:
        return Absent("no clock to compare with")
    instant_s = read_instant(value)
    if instant_s is None:
        return Absent("what is not a timestamp")
    age_s = now.timestamp() - instant_s
    if age_s < -MOST_AHEAD_S:
        ahead = format_duration(timedelta(seconds=int(min(-age_s, _LONGEST_S))))
        return Absent(f"a time that lies {ahead} ahead")
    return Age(min(max(age_s, 0.0), _LONGEST_S))


def read_instant(value: object) -> float | None:
    """Seconds since 1970 of a timestamp in one of its common forms; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _epoch_s(value)
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        return None
    text = value.strip()
    try:
        return _epoch_s(float(text))
    except ValueError:
        return _written_s(text)


def _epoch_s(number: float) -> float | None:
    try:
        seconds = float(number)
    except OverflowError:
        return None
    for _ in range(3):
        if abs(seconds) >= _LEAST_MS:
            seconds /= 1000
    return seconds if math.isfinite(seconds) and abs(seconds) < _LONGEST_S else None


def _written_s(text: str) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = read(text)
            aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
            return aware.timestamp()
        except (ValueError, OverflowError, IndexError, TypeError):
            continue
    return None
