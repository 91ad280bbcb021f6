"""Durations and sizes as people write them: `30s`, `1h30m`, `2d`, `1MiB`.

A bare number is refused on purpose: nobody can tell whether `30` meant seconds or minutes, and a
monitor that runs every 30 hours is noticed too late.
"""

import re
from datetime import timedelta
from itertools import pairwise

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])\s*", re.ASCII)
_BARE_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_ONE_MS = timedelta(milliseconds=1)
_STEPS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))

_BINARY = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_DECIMAL = {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES = _BINARY | _DECIMAL
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?i?B)", re.ASCII)

MAX_DURATION = timedelta(days=36_500)
"""A hundred years: more is a slip of the finger, and `timedelta` overflows not far above."""


def parse_duration(text: str) -> timedelta:
    """The duration that `text` says: whole parts with units, largest first (`1h30m`, `1.5s`, `250ms`).

    Raises ValueError, with what to write instead, when there is no unit, an unknown unit, a unit
    twice or out of order, a sign, or more than a hundred years.
    """
    stripped = text.strip()
    if stripped == "0":
        return timedelta()
    if _BARE_NUMBER.fullmatch(stripped):
        raise ValueError(
            f"{stripped!r} has no unit: write {stripped}s for seconds or {stripped}m for minutes"
        )
    return _sum_of(_parts_of(stripped), stripped)


def format_duration(duration: timedelta) -> str:
    """The shortest exact text in whole units (`90s` becomes `1m30s`); `parse_duration` reads it back.

    Parts below a millisecond are dropped. Raises ValueError for a negative duration.
    """
    if duration < timedelta():
        raise ValueError("a duration is never negative")
    left = duration // _ONE_MS
    text = ""
    for unit, size in _STEPS_MS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_size(text: str) -> int:
    """The bytes that `text` says: `512B`, `64KiB` (1024), `10MB` (1000). Raises ValueError otherwise."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2] not in _SIZES:
        raise ValueError(
            f"{text.strip()!r} is not a size: write a number with B, KiB, MiB, GiB, kB, MB or GB"
        )
    size = float(match[1]) * _SIZES[match[2]]
    if size != int(size):
        raise ValueError(f"{text.strip()!r} is not a whole number of bytes")
    return int(size)


def format_size(size: int) -> str:
    """The shortest exact text in binary units (1048576 becomes `1MiB`); `parse_size` reads it back."""
    if size < 0:
        raise ValueError("a size is never negative")
    for unit, factor in sorted(_BINARY.items(), key=lambda item: -item[1]):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return "0B"


def _parts_of(text: str) -> list[tuple[float, str]]:
    parts: list[tuple[float, str]] = []
    position = 0
    while position < len(text):
        match = _DURATION_PART.match(text, position)
        if match is None:
            break
        parts.append((float(match[1]), match[2]))
        position = match.end()
    if not parts or position < len(text):
        raise ValueError(
            f"{text!r} is not a duration: write numbers with ms, s, m, h, d or w, such as 30s, 5m or 1h30m"
        )
    return parts


def _sum_of(parts: list[tuple[float, str]], text: str) -> timedelta:
    units = [_UNIT_S[unit] for _, unit in parts]
    if any(later >= earlier for earlier, later in pairwise(units)):
        raise ValueError(
            f"{text!r} is not a duration: name each unit once, the largest first, such as 1h30m"
        )
    seconds = sum(count * _UNIT_S[unit] for count, unit in parts)
    if seconds > MAX_DURATION.total_seconds():
        raise ValueError(f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)
