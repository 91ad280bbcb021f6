"""`lifesign probe --config FILE`: every server of an MCP client's file probed at once, in one table with one exit code."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lifesign.cli.mcp_configs import Found, read_config
from lifesign.cli.output import clean, emit, emit_json, emit_table, note, paint, state_word
from lifesign.cli.probing import Finished, Question, as_object, ask, findings_of, question_of
from lifesign.core.errors import InvalidError
from lifesign.core.model import Level, State
from lifesign.probes.registry import Kinds, load_kinds

AT_ONCE = 20
_MOST_CHARS = 60
_MOST_LAST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One server of the file: what is asked of it and what came of that, or why it was skipped."""

    name: str
    question: Question | None = None
    finished: Finished | None = None
    skipped: str = ""


def probe_config(
    path: Path, *, expect: Sequence[str], timeout_s: float | None, as_json: bool
) -> bool:
    """Probe what the file names, print it, and say whether everything that was probed is up.

    Raises InvalidError when the file cannot be read, or when nothing in it can be probed.
    """
    kinds = load_kinds()
    lines = [_line(found, kinds, expect, timeout_s) for found in read_config(path, os.environ)]
    asked = sum(line.question is not None for line in lines)
    if not asked:
        reasons = "; ".join(f"{clean(line.name, 100)} {line.skipped}" for line in lines)
        raise InvalidError(f"{path}: No server in the file can be probed: {reasons}.")
    if not as_json:
        note(f"Probing {asked} of {len(lines)} servers in {path} …")
    lines = asyncio.run(_ask_all(lines))
    if as_json:
        emit_json({"config": str(path), "servers": [_as_object(line) for line in lines]})
    else:
        _draw(lines)
    return all(line.finished.outcome.state is State.UP for line in lines if line.finished)


def _line(found: Found, kinds: Kinds, expect: Sequence[str], timeout_s: float | None) -> Line:
    if found.skipped:
        return Line(found.name, skipped=found.skipped)
    try:
        question = question_of(kinds[found.kind], found.settings, expect, timeout_s)
    except InvalidError as error:
        reasons = "; ".join(f"{where}: {why}" for where, why in error.problems)
        return Line(found.name, skipped=f"cannot be used: {reasons or error.message}")
    return Line(found.name, question)


async def _ask_all(lines: Sequence[Line]) -> list[Line]:
    """Ask all at once: many over the network, and only as many programs as there are CPU cores."""
    rooms = {
        False: asyncio.Semaphore(AT_ONCE),
        True: asyncio.Semaphore(os.cpu_count() or 1),
    }

    async def one(line: Line) -> Line:
        if line.question is None:
            return line
        async with rooms[bool(line.question.kind.lane)]:
            return Line(line.name, line.question, await ask(line.question))

    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(one(line)) for line in lines]
    return [task.result() for task in tasks]


def _draw(lines: Sequence[Line]) -> None:
    emit_table(("SERVER", "STATE", "TIME", "WHAT", "TARGET"), [_row(line) for line in lines])
    for line in lines:
        failure = line.finished.outcome.failure if line.finished else None
        if failure is not None:
            emit(f"\n  {paint(clean(line.name, 100), 'bold')}  {clean(failure.message)}")
            if line.question is not None and line.question.kind.lane:
                for words in failure.evidence.splitlines()[-_MOST_LAST_WORDS:]:
                    emit(f"    {paint(clean(words, 200), 'dim')}")
            if failure.remedy:
                emit(f"  → {clean(failure.remedy)}")


def _row(line: Line) -> tuple[str, ...]:
    name = clean(line.name, 40)
    if line.question is None or line.finished is None:
        return name, paint("– skipped", "dim"), "", clean(line.skipped, 100), ""
    took = f"{line.finished.duration_ms:.0f} ms"
    state = state_word(line.finished.outcome.state)
    return name, state, took, _what(line.finished), clean(line.question.target, _MOST_CHARS)


def _what(finished: Finished) -> str:
    """The first thing that is wrong, or who answered."""
    failure, facts = finished.outcome.failure, finished.observation.facts
    if failure is not None:
        return f"{failure.layer}/{failure.code}"
    warned = [found for found in findings_of(finished) if found.level is Level.WARN]
    if warned:
        return f"{warned[0].layer}/{warned[0].code}"
    server = f"{facts.get('server.name', '')} {facts.get('server.version', '')}".strip()
    tools = facts.get("tools.count")
    shown = " · ".join(filter(None, (server, "" if tools is None else f"{tools} tools")))
    return clean(shown, _MOST_CHARS)


def _as_object(line: Line) -> dict[str, object]:
    if line.question is None or line.finished is None:
        return {"name": line.name, "skipped": line.skipped}
    return {"name": line.name, **as_object(line.question, line.finished)}
