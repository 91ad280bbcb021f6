"""What commands print: results on stdout, everything else on stderr, colour only where a person looks.

`NO_COLOR` (https://no-color.org) and a redirected stdout turn colour off; words and shapes stay, so nothing is
said by colour alone.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from lifesign.core.model import State

Colour = Literal["green", "yellow", "red", "blue", "dim", "bold"]

_SGR: Mapping[Colour, str] = MappingProxyType(
    {"green": "32", "yellow": "33", "red": "31", "blue": "34", "dim": "2", "bold": "1"}
)
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff]"
)
"""Controls that JSON need not escape, marks that turn the direction of text, and halves of characters."""

_PAINT = re.compile(r"\x1b\[\d*m")
_MARKS: Mapping[State, tuple[str, Colour]] = MappingProxyType(
    {
        State.UP: ("●", "green"),
        State.DEGRADED: ("◆", "yellow"),
        State.DOWN: ("■", "red"),
        State.UNKNOWN: ("◌", "dim"),
        State.MAINTENANCE: ("◷", "blue"),
        State.PAUSED: ("‖", "dim"),
    }
)


def emit(text: str = "") -> None:
    """Print a line of the result."""
    sys.stdout.write(text + "\n")


def emit_json(value: object) -> None:
    """Print the result as one JSON value: indented for a person at a terminal, on one line for a program."""
    emit(json_text(value, indent=2 if sys.stdout.isatty() else None))


def json_text(value: object, *, indent: int | None = 2) -> str:
    """A value as JSON. What cannot be seen is escaped in it, so that no text of others can steer a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def note(text: str) -> None:
    """Tell the person something that is not the result: progress, hints, warnings."""
    sys.stderr.write(text + "\n")


def has_colour() -> bool:
    """Whether stdout is a terminal that a person reads and did not ask to be spared."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def paint(text: str, colour: Colour) -> str:
    """The text in a colour, or as it is where there is none."""
    return f"\x1b[{_SGR[colour]}m{text}\x1b[0m" if text and has_colour() else text


def state_word(state: State) -> str:
    """A state as shape, word and colour: `● up`, `■ down`."""
    mark, colour = _MARKS[state]
    return paint(f"{mark} {state.value}", colour)


def emit_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads, as wide as their contents; nothing but a note when there are none."""
    widths = [max(seen_width(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    emit(paint(_line(heads, widths), "dim"))
    for row in rows:
        emit(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - seen_width(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def seen_width(cell: str) -> int:
    """The characters that are seen: colour takes no room."""
    return len(_PAINT.sub("", cell))


def clean(text: str, limit: int = 500) -> str:
    """Text from a watched thing, made safe to print: one line, no control characters, not endless."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
