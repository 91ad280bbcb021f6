"""The result as Markdown: for the summary of a job, a pull request, an issue. No text of a server's is live in it."""

from collections.abc import Iterator

from lifesign.cli.manifest_text import class_of
from lifesign.cli.markdown import escaped
from lifesign.cli.probe_facts import in_short, told_facts
from lifesign.cli.reports.rungs import rungs_of
from lifesign.cli.reports.values import Compared, Entry, Report, blames
from lifesign.core.ladder import Rung
from lifesign.core.model import Level, State

MAX_BYTES = 1_000_000
"""GitHub shows at most 1 MiB of a step's summary, and none of a longer one."""

_MOST_CHANGES = 100
_MOST_FINDINGS = 50
_MARKS = {
    State.UP: "🟢",
    State.DEGRADED: "🟡",
    State.DOWN: "🔴",
    State.UNKNOWN: "⚪",
}
_RUNGS = {"ok": "✓", "failed": "✗", "skipped": "–"}
_LEVELS = {Level.FAIL: "**fails**", Level.WARN: "degrades", Level.INFO: "told"}


def as_markdown(report: Report) -> str:
    """The document as text; a file's servers in one table, and what is wrong with each below it."""
    if not report.config:
        return "\n".join(_whole(report.entries[0], report))
    lines = [f"### MCP servers of {escaped(report.config)}", ""]
    lines += ["| server | state | time | what |", "|---|---|---|---|"]
    lines += [_row(entry) for entry in report.entries]
    kept, size = lines, sum(map(len, lines))
    for entry in report.entries:
        if entry.failure is None and not entry.other_findings:
            continue
        part = ["", f"#### {escaped(entry.name, 100)}", *_troubles(entry)]
        size += sum(len(line.encode()) for line in part)
        if size > MAX_BYTES:
            kept += ["", "More is wrong than fits here."]
            break
        kept += part
    return "\n".join(kept)


def _whole(entry: Entry, report: Report) -> Iterator[str]:
    finished = entry.finished
    if finished is None:
        return
    verdict = "" if not blames(entry, report.fail_on) else " · check failed"
    yield f"### {_MARKS.get(entry.state, '')} {entry.state.value}: {escaped(entry.name, 200)}{verdict}"
    yield ""
    for label, text in told_facts(finished.observation.facts):
        yield f"- {label}: {escaped(text)}"
    yield from _troubles(entry)
    if entry.compared is not None:
        yield from _drift(entry.compared)
    yield from ("", "| layer | | time | |", "|---|---|--:|---|")
    for rung in rungs_of(entry):
        yield _layer(rung)
    yield from (
        "",
        f"<sub>{finished.duration_ms:.0f} ms, {finished.started_at:%Y-%m-%d %H:%M:%S} UTC</sub>",
    )


def _layer(rung: Rung) -> str:
    took = "" if rung.ms is None else f"{rung.ms:.1f} ms"
    return f"| {escaped(rung.title)} | {_RUNGS[rung.state]} | {took} | {escaped(rung.note)} |"


def _row(entry: Entry) -> str:
    name = escaped(entry.name, 100)
    if entry.finished is None:
        return f"| {name} | – skipped | | {escaped(entry.skipped, 200)} |"
    failure, facts = entry.failure, entry.finished.observation.facts
    what = f"{failure.layer}/{failure.code}" if failure else in_short(facts)
    state = f"{_MARKS.get(entry.state, '')} {entry.state.value}"
    return f"| {name} | {state} | {entry.finished.duration_ms:.0f} ms | {escaped(what, 200)} |"


def _troubles(entry: Entry) -> Iterator[str]:
    failure = entry.failure
    if failure is not None:
        yield from (
            "",
            f"**{escaped(f'{failure.layer}/{failure.code}')}**: {escaped(failure.message)}",
        )
        if failure.remedy:
            yield from ("", f"→ {escaped(failure.remedy)}")
    found = entry.other_findings
    if found:
        yield from ("", "| finding | level | what | remedy |", "|---|---|---|---|")
    for each in found[:_MOST_FINDINGS]:
        cells = (f"{each.layer}/{each.code}", _LEVELS[each.level])
        told = (escaped(each.message), escaped(each.remedy))
        yield f"| {escaped(cells[0])} | {cells[1]} | {told[0]} | {told[1]} |"
    if len(found) > _MOST_FINDINGS:
        yield from ("", f"{len(found) - _MOST_FINDINGS} more findings.")


def _drift(compared: Compared) -> Iterator[str]:
    baseline = escaped(compared.baseline, 200)
    if compared.unread or not compared.changes:
        said = escaped(compared.unread) if compared.unread else "the same is published."
        yield from ("", f"Against {baseline}: {said}")
        return
    count = len(compared.changes)
    changes = f"{count} {'change' if count == 1 else 'changes'}"
    yield from (
        "",
        f"Against {baseline}: {changes}.",
        "",
        "| class | what | before | after |",
        "|---|---|---|---|",
    )
    for change in compared.changes[:_MOST_CHANGES]:
        cells = " | ".join(
            escaped(each, 160) for each in (change.message, change.before, change.after)
        )
        yield f"| {class_of(change)} | {cells} |"
    if count > _MOST_CHANGES:
        yield from ("", f"{count - _MOST_CHANGES} more changes.")
