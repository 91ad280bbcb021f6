"""A figure with its unit and the aim it is held against, and how all of them are shown."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `aim` is what the project set itself, in words; empty when there is none."""

    name: str
    value: float
    unit: str
    aim: str = ""
    remark: str = ""


def machine() -> str:
    """The machine and the interpreter, so that a figure is never read without them."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ]
    cpu = names[0] if names else platform.machine()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores of {cpu}, Linux {platform.release()}"


def table(figures: Iterable[Figure]) -> str:
    """The figures as aligned text."""
    rows = [("figure", "value", "unit", "aim", "remark")]
    rows += [(f.name, _number(f.value), f.unit, f.aim, f.remark) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(_line(row, widths) for row in rows)


def document(figures: Iterable[Figure]) -> str:
    """The figures and the machine as JSON."""
    return json.dumps({"machine": machine(), "figures": [asdict(f) for f in figures]}, indent=2)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    name, value, *rest = row
    cells = [name.ljust(widths[0]), value.rjust(widths[1])]
    cells += [text.ljust(width) for text, width in zip(rest, widths[2:], strict=True)]
    return "  ".join(cells).rstrip()


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
