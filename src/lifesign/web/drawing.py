"""The past drawn on the server: one bar a day, whose parts are exact and whose label says them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lifesign.service.views import DayView, HistoryView
from lifesign.web.phrases import percent, seconds

HEIGHT = 40.0
STEP = 10.0
_GAP = 2.4
_LEAST = 11.0
"""Less than this many units high would not be seen: a minute of downtime is still a mark."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle of a bar."""

    look: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day: where it stands, what it is made of, and the same in words."""

    x: float
    width: float
    pieces: tuple[Piece, ...]
    day: str
    label: str


def day_bars(days: Sequence[DayView]) -> tuple[DayBar, ...]:
    """The bars of these days, oldest first, in a drawing `len(days) * STEP` wide and HEIGHT high."""
    return tuple(
        DayBar(
            x=round(index * STEP, 1),
            width=STEP - _GAP,
            pieces=_pieces(day),
            day=day.day,
            label=f"{_name(day.day)}: {describe(day)}",
        )
        for index, day in enumerate(days)
    )


def outlines(bars: Sequence[DayBar]) -> tuple[tuple[str, str], ...]:
    """The same bars as one SVG path a look: a fifth of the bytes, for listings that have fifty of them."""
    paths: dict[str, str] = {}
    for bar in bars:
        for piece in bar.pieces:
            box = f"M{bar.x:g} {piece.y:g}h{bar.width:g}v{piece.height:g}h-{bar.width:g}z"
            paths[piece.look] = paths.get(piece.look, "") + box
    return tuple(paths.items())


def describe(day: DayView) -> str:
    """A day in words: how much of it was up, and every minute that was not."""
    watched = day.up_s + day.degraded_s + day.down_s
    if watched + day.maintenance_s + day.paused_s + day.unknown_s <= 0:
        return "not watched"
    parts = [f"{percent((day.up_s + day.degraded_s) / watched)} up"] if watched else []
    spans = (
        ("down", day.down_s),
        ("degraded", day.degraded_s),
        ("in maintenance", day.maintenance_s),
        ("paused", day.paused_s),
        ("unknown", day.unknown_s),
    )
    parts += [f"{seconds(length)} {word}" for word, length in spans if round(length) > 0]
    return ", ".join(parts)


def long_words(history: HistoryView) -> str:
    """Ninety days in words: the share that was up, and the exact time that was not."""
    up = sum(day.up_s + day.degraded_s for day in history.days)
    down = sum(day.down_s for day in history.days)
    unknown = sum(day.unknown_s for day in history.days)
    if up + down <= 0:
        return "not watched yet"
    words = [f"{percent(up / (up + down))} up", f"{seconds(down)} down" if down else "no downtime"]
    return " · ".join(words + ([f"{seconds(unknown)} unknown"] if unknown else []))


def _pieces(day: DayView) -> tuple[Piece, ...]:
    marks = (
        ("down", day.down_s),
        ("degraded", day.degraded_s),
        ("maintenance", day.maintenance_s),
        ("unknown", day.paused_s + day.unknown_s),
        ("up", day.up_s),
    )
    total = sum(length for _, length in marks)
    if total <= 0:
        return (Piece("none", 0.0, HEIGHT),)
    pieces: list[Piece] = []
    bottom = HEIGHT
    shown = [(look, length) for look, length in marks if length > 0]
    for index, (look, length) in enumerate(shown):
        last = index == len(shown) - 1
        height = bottom if last else min(bottom, max(_LEAST, HEIGHT * length / total))
        bottom -= height
        pieces.append(Piece(look, round(bottom, 2), round(height, 2)))
    return tuple(pieces)


def _name(day: str) -> str:
    return date.fromisoformat(day).strftime("%-d %B %Y")
