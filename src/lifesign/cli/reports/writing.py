"""Where reports go: one format to stdout or `-o FILE`, and any number into files by `--report FORMAT=FILE`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lifesign.cli.output import clean, emit, note
from lifesign.cli.reports.as_json import as_json
from lifesign.cli.reports.as_junit import as_junit
from lifesign.cli.reports.as_markdown import as_markdown
from lifesign.cli.reports.as_sarif import as_sarif
from lifesign.cli.reports.values import Report, UnwritableError
from lifesign.core.errors import InvalidError

FORMATS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {"json": as_json, "junit": as_junit, "sarif": as_sarif, "markdown": as_markdown}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written where. `printed` is the format that takes stdout; empty: what a person reads does."""

    printed: str = ""
    files: tuple[tuple[str, Path], ...] = ()
    summary: Path | None = None


def wanted_of(
    flags: Mapping[str, bool],
    reports: Sequence[str],
    *,
    output: Path | None = None,
    summary: Path | None = None,
) -> Wanted:
    """Read the options. Raises InvalidError for what does not go together."""
    named = [name for name, is_set in flags.items() if is_set]
    if len(named) > 1:
        raise InvalidError(
            f"Only one of --{' and --'.join(named)} can be printed.",
            remedy="Write the others to files with --report FORMAT=FILE.",
        )
    if output is not None and not named:
        raise InvalidError(
            "-o does not say in which format.", remedy=f"Give one of --{', --'.join(FORMATS)}."
        )
    files = [_pair(text) for text in reports]
    if output is not None:
        return Wanted("", ((named[0], output), *files), summary)
    return Wanted(named[0] if named else "", tuple(files), summary)


def _pair(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not path or name not in FORMATS:
        raise InvalidError(
            f"--report {clean(text, 80)!r} is not of the form FORMAT=FILE.",
            remedy=f"The formats are: {', '.join(FORMATS)}.",
        )
    return name, Path(path)


def deliver(report: Report, wanted: Wanted) -> None:
    """Write the files, and print what was asked for instead of what a person reads. Raises UnwritableError."""
    for name, path in wanted.files:
        _write(path, FORMATS[name](report), mode="w")
        note(f"Wrote {name} to {path}.")
    if wanted.summary is not None:
        _write(wanted.summary, as_markdown(report), mode="a")
    if wanted.printed == "json":
        emit(as_json(report, indent=_indent()))
    elif wanted.printed:
        emit(FORMATS[wanted.printed](report))


def _indent() -> int | None:
    """Laid out for a person at a terminal, on one line for a program."""
    return 2 if sys.stdout.isatty() else None


def _write(path: Path, text: str, *, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text + "\n")
    except OSError as refusal:
        raise UnwritableError(
            f"{path} cannot be written: {refusal.strerror}.", remedy="Name another file."
        ) from None
