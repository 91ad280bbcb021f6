"""The result of `lifesign probe` for whoever sits at the terminal."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from lifesign.cli.manifest_text import COLOURS, class_of
from lifesign.cli.output import Colour, clean, emit, emit_table, paint, seen_width, state_word
from lifesign.cli.probe_facts import in_short, told_facts
from lifesign.cli.probe_hints import hint_of
from lifesign.cli.reports.rungs import rungs_of
from lifesign.cli.reports.values import Compared, Entry, Report, blames
from lifesign.core.ladder import Rung, as_text
from lifesign.core.model import Failure, Finding, Level, State

_LEAST_WIDTH = 40
_MOST_CHARS = 60
_MOST_CHANGES = 30
_MOST_LAST_WORDS = 12
_FEW_WORDS = 4
_WORDS_CHARS = 200
_RUNG_COLOURS: Mapping[str, Colour] = MappingProxyType(
    {"ok": "green", "failed": "red", "skipped": "dim"}
)
_LEVEL_COLOURS: Mapping[Level, Colour] = MappingProxyType(
    {Level.FAIL: "red", Level.WARN: "yellow", Level.INFO: "dim"}
)


def draw(report: Report) -> None:
    """Print one target layer by layer, or a file's servers as a table with what is wrong below it."""
    if not report.config:
        _draw_one(report.entries[0], report)
        if report.is_guessed and (hint := hint_of(report.entries[0])):
            emit()
            _advise(hint)
        return
    emit_table(
        ("SERVER", "STATE", "TIME", "WHAT", "TARGET"), [_row(each) for each in report.entries]
    )
    for entry in report.entries:
        failure = entry.failure
        if failure is not None:
            emit()
            _wrap(f"  {paint(clean(entry.name, 100), 'bold')}  ", failure.message, "  ")
            _draw_words(entry, failure, most=_FEW_WORDS)
            _advise(failure.remedy)


def _draw_one(entry: Entry, report: Report) -> None:
    if entry.question is None or entry.finished is None:
        return
    finished = entry.finished
    took = f"{entry.question.kind.title}, {finished.duration_ms:.0f} ms"
    target = paint(clean(entry.question.target), "bold")
    emit(f"{state_word(entry.state)}  {target}  {paint(took, 'dim')}")
    emit()
    _draw_rungs(rungs_of(entry))
    facts = list(told_facts(finished.observation.facts))
    if facts:
        emit()
    for label, text in facts:
        _wrap(f"  {paint(f'{label:<10}', 'dim')} ", text, " " * 13)
    _draw_troubles(entry)
    if entry.compared is not None:
        _draw_drift(entry.compared)
    if entry.state is State.UP and (why := blames(entry, report.fail_on)):
        emit(f"\n  {paint('■ failed', 'red')}  --fail-on {', '.join(why)}")


def _draw_troubles(entry: Entry) -> None:
    """Conditions that do not hold, the failure, and what was found besides."""
    checks = entry.finished.outcome.checks if entry.finished else ()
    for check in checks:
        if not check.holds:
            emit(f"\n  expected  {paint(clean(check.text), 'bold')}")
            emit(f"  found     {paint(clean(check.found), 'red')}")
    failure = entry.failure
    if failure is not None and failure.layer != "condition":
        colour: Colour = "yellow" if entry.state is State.DEGRADED else "red"
        _draw_reason(failure.layer, failure.code, failure.message, failure.remedy, colour)
        _draw_words(entry, failure, most=_MOST_LAST_WORDS)
    for found in entry.other_findings:
        if found.layer != "condition":
            colour = _LEVEL_COLOURS[found.level]
            _draw_reason(found.layer, found.code, found.message, found.remedy, colour)
            _draw_words(entry, found, most=_FEW_WORDS)


def _draw_rungs(rungs: list[Rung]) -> None:
    for rung, line in zip(rungs, as_text(rungs).splitlines(), strict=True):
        shape, rest = line[:1], clean(line[1:])
        colour = _RUNG_COLOURS[rung.state]
        emit(f"  {paint(shape, colour)}{paint(rest, 'dim') if rung.state == 'skipped' else rest}")


def _draw_words(entry: Entry, trouble: Failure | Finding, *, most: int) -> None:
    """What a program said instead of an answer, or a server in its JSON-RPC error: nobody else shows it here."""
    lines = trouble.evidence.splitlines()
    if entry.question is not None and entry.question.kind.lane:
        shown = lines[-most:]
    elif trouble.layer == "jsonrpc" or '"jsonrpc"' in trouble.evidence:
        shown = lines[:_FEW_WORDS]
    else:
        return
    for line in shown:
        emit(f"    {paint(clean(line, _WORDS_CHARS), 'dim')}")


def _draw_reason(layer: str, code: str, message: str, remedy: str, colour: Colour) -> None:
    emit()
    _wrap(f"  {paint(f'{layer}/{code}', colour)}  ", message, "  ")
    _advise(remedy)


def _advise(remedy: str) -> None:
    if remedy:
        _wrap("  → ", remedy, "    ")


def _draw_drift(compared: Compared) -> None:
    baseline = clean(compared.baseline, 200)
    emit()
    if compared.unread:
        _wrap(
            f"  {paint('◌ drift', 'dim')}  ",
            f"Not compared with {baseline}: {compared.unread}",
            "  ",
        )
        return
    if not compared.changes:
        _wrap(
            f"  {paint('● same', 'green')}  ", f"What is published is what {baseline} holds.", "  "
        )
        return
    count = len(compared.changes)
    head = paint("■ drift", "red") if compared.counted else paint("● same but for names", "green")
    _wrap(f"  {head}  ", f"{count} {'change' if count == 1 else 'changes'} since {baseline}:", "  ")
    for change in compared.changes[:_MOST_CHANGES]:
        name = class_of(change)
        _wrap(f"  {paint(f'{name:<10}', COLOURS[name])} ", change.message, " " * 13)
    if count > _MOST_CHANGES:
        emit(f"  and {count - _MOST_CHANGES} more; `--json` has them all")


def _wrap(head: str, text: str, indent: str) -> None:
    """Print untrusted text behind a head of ours: wrapped where a person reads, on one line for a program."""
    shown = clean(text, 1000)
    if not sys.stdout.isatty():
        emit(f"{head}{shown}".rstrip())
        return
    width = max(shutil.get_terminal_size().columns, _LEAST_WIDTH)
    seen = " " * seen_width(head)
    lines = textwrap.wrap(
        shown, width, initial_indent=seen, subsequent_indent=indent, break_on_hyphens=False
    )
    emit(head + lines[0][len(seen) :] if lines else head.rstrip())
    for line in lines[1:]:
        emit(line)


def _row(entry: Entry) -> tuple[str, ...]:
    name = clean(entry.name, 40)
    if entry.question is None or entry.finished is None:
        return name, paint("– skipped", "dim"), "", clean(entry.skipped, 100), ""
    took = f"{entry.finished.duration_ms:.0f} ms"
    target = clean(entry.question.target, _MOST_CHARS)
    return name, state_word(entry.state), took, _what(entry), target


def _what(entry: Entry) -> str:
    """The first thing that is wrong, or who answered."""
    failure = entry.failure
    if failure is not None:
        return clean(f"{failure.layer}/{failure.code}", _MOST_CHARS)
    return in_short(entry.finished.observation.facts) if entry.finished else ""
