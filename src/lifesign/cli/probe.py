"""`lifesign probe TARGET`: the real probe, once, drawn layer by layer or printed as one JSON object.

Exit code 0 means up, 2 not up (degraded and unknown too), 64 that the command line cannot be used.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from lifesign.cli.output import Colour, clean, emit, emit_json, note, paint, state_word
from lifesign.cli.probe_facts import told_facts
from lifesign.clock import SystemClock
from lifesign.core.condition import Condition, compile_condition
from lifesign.core.errors import InvalidError
from lifesign.core.ladder import Rung, as_text, ladder
from lifesign.core.model import Check, Failure, Finding, Observation, Outcome, State
from lifesign.core.units import parse_duration
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.once import observe
from lifesign.probes.registry import (
    Kind,
    ProbeContext,
    guess_kind,
    load_kinds,
    settings_from,
    why_unrecognised,
)
from lifesign.probes.subjects import require_known
from lifesign.service.settings import SettingsError, parse_settings

EXIT_NOT_UP = 2
_MAX_TIMEOUT_S = 300.0

_RUNG_COLOURS: Mapping[str, Colour] = {"ok": "green", "failed": "red", "skipped": "dim"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be probed, and what is expected of it."""

    kind: Kind
    settings: BaseModel
    conditions: tuple[Condition, ...]
    timeout_s: float

    @property
    def target(self) -> str:
        """The target as people see it."""
        return self.kind.target(self.settings)


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it."""

    observation: Observation
    outcome: Outcome
    started_at: datetime
    duration_ms: float


def probe(  # noqa: PLR0917 - Typer calls it by name
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A URL, host:port, or MCP endpoint.")
    ],
    kind: Annotated[
        str | None, typer.Option(help="What to take it for, when the guess would be wrong.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="COND", help="A condition that must hold, such as 'status == 200'."),
    ] = None,
    timeout: Annotated[str, typer.Option(help="Give up after this long.")] = "10s",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of the kind; maps as key.name=value; KEY=@FILE reads it from a file.",
        ),
    ] = None,
) -> None:
    """Probe TARGET once and show each layer. Exit code 0: up, 2: not up, 64: wrong usage."""
    question = _understand(target, kind, expect or [], timeout, settings or [])
    if not as_json:
        note(f"Probing {clean(question.target)} as {question.kind.name} …")
    finished = asyncio.run(_ask(question))
    if as_json:
        emit_json(as_object(question, finished))
    else:
        _draw(question, finished)
    raise typer.Exit(0 if finished.outcome.state is State.UP else EXIT_NOT_UP)


def _understand(
    target: str, kind_name: str | None, expect: list[str], timeout: str, pairs: list[str]
) -> Question:
    kind, guessed = _recognise(target, kind_name)
    if kind.passive:
        raise InvalidError(
            f"A {kind.name} monitor is told and not dialled, so it cannot be probed.",
            remedy="Add it with `lifesign monitor add` and let the job ping it.",
        )
    try:
        settings = parse_settings(kind.settings, _merge(guessed, pairs), prefix="")
    except SettingsError as error:
        raise InvalidError(
            f"The settings of kind {kind.name} cannot be used.", problems=error.problems
        ) from None
    asked = tuple([compile_condition(text) for text in expect])
    require_known(kind, asked)
    implied = tuple([compile_condition(text) for text in kind.implied(settings)])
    return Question(kind, settings, (*implied, *asked), _seconds(timeout))


def _recognise(target: str, kind_name: str | None) -> tuple[Kind, dict[str, object]]:
    kinds = load_kinds()
    if kind_name is not None:
        if kind_name not in kinds:
            raise InvalidError(
                f"There is no kind {kind_name!r}.", remedy=f"Known kinds: {', '.join(kinds)}."
            )
        return kinds[kind_name], settings_from(kinds[kind_name], target)
    found = guess_kind(kinds, target)
    if found is None:
        shown = clean(target.rpartition("@")[2], 100)
        raise InvalidError(f"The target {shown!r} {why_unrecognised(target)}.")
    return found


def _merge(guessed: Mapping[str, object], pairs: list[str]) -> dict[str, object]:
    """The guessed settings with `key=value` pairs over them; `headers.X-Key=1` reaches into a map."""
    merged: dict[str, object] = dict(guessed)
    for pair in pairs:
        path, equals, value = pair.partition("=")
        if not equals or not path:
            raise InvalidError(f"--set {pair.partition('=')[0]!r} is not of the form key=value.")
        key, dot, inner = path.partition(".")
        if value.startswith("@"):
            value = _text_of(key, Path(value[1:]))
        if not dot:
            merged[key] = value
            continue
        outer = merged.get(key)
        merged[key] = {**(outer if isinstance(outer, Mapping) else {}), inner: value}
    return merged


def _text_of(key: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as refusal:
        reason = getattr(refusal, "strerror", None) or "it is not UTF-8"
        raise InvalidError(f"--set {key}: {path} cannot be read: {reason}.") from None


def _seconds(timeout: str) -> float:
    try:
        seconds = parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise InvalidError(f"--timeout cannot be read: {error}.") from None
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise InvalidError(f"--timeout is between 1ms and {_MAX_TIMEOUT_S:.0f}s.")
    return seconds


async def _ask(question: Question) -> Finished:
    clock = SystemClock()
    started_at, began = clock.now(), time.perf_counter()
    deadline = asyncio.get_running_loop().time() + question.timeout_s
    context = ProbeContext(net=Net.open(), clock=clock, deadline=deadline)
    observation = await observe(question.kind, question.settings, context)
    duration_ms = (time.perf_counter() - began) * 1000
    outcome = assess(observation, question.conditions, now=clock.now())
    return Finished(observation, outcome, started_at, duration_ms)


def as_object(question: Question, finished: Finished) -> dict[str, object]:
    """The result as the one JSON object that programs read."""
    outcome, observation = finished.outcome, finished.observation
    return {
        "target": question.target,
        "kind": question.kind.name,
        "state": outcome.state.value,
        "failure": None if outcome.failure is None else _failure(outcome.failure),
        "findings": [asdict(finding) for finding in _findings(finished)],
        "phases_ms": {name: round(ms, 3) for name, ms in observation.phases_ms.items()},
        "facts": dict(observation.facts),
        "started_at": finished.started_at.isoformat(),
        "duration_ms": round(finished.duration_ms, 3),
    }


def _failure(failure: Failure) -> dict[str, str]:
    named = asdict(failure)
    return {name: named[name] for name in ("layer", "code", "reason", "message", "remedy")}


def _findings(finished: Finished) -> list[Finding]:
    """What the probe found, and every other condition that does not hold."""
    told = finished.outcome.failure
    missed = [_as_finding(check) for check in finished.outcome.checks if not check.holds]
    others = [found for found in missed if told is None or found.message != told.message]
    return [*finished.observation.findings, *others]


def _as_finding(check: Check) -> Finding:
    message = f"Expected {check.text}, found {check.found}."
    return Finding(check.level, "condition", "not_met", message)


def _draw(question: Question, finished: Finished) -> None:
    outcome, failure = finished.outcome, finished.outcome.failure
    took = f"{question.kind.title}, {finished.duration_ms:.0f} ms"
    emit(
        f"{state_word(outcome.state)}  {paint(clean(question.target), 'bold')}  {paint(took, 'dim')}"
    )
    emit()
    is_drawn = failure is not None and outcome.state is not State.DEGRADED
    rungs = ladder(question.kind.ladder, finished.observation, failure if is_drawn else None)
    _draw_rungs(rungs)
    facts = list(told_facts(finished.observation.facts))
    if facts:
        emit()
    for label, text in facts:
        emit(f"  {paint(f'{label:<9}', 'dim')} {text}")
    for check in outcome.checks:
        if not check.holds:
            emit(f"\n  expected  {paint(clean(check.text), 'bold')}")
            emit(f"  found     {paint(clean(check.found), 'red')}")
    if failure is not None and failure.layer != "condition":
        _draw_reason(failure.layer, failure.code, failure.message, failure.remedy, "red")
    for finding in finished.observation.findings:
        if failure is None or finding.message != failure.message:
            colour: Colour = "yellow" if finding.level == "warn" else "dim"
            _draw_reason(finding.layer, finding.code, finding.message, finding.remedy, colour)


def _draw_rungs(rungs: list[Rung]) -> None:
    for rung, line in zip(rungs, as_text(rungs).splitlines(), strict=True):
        shape, rest = line[:1], clean(line[1:])
        colour = _RUNG_COLOURS[rung.state]
        emit(f"  {paint(shape, colour)}{paint(rest, 'dim') if rung.state == 'skipped' else rest}")


def _draw_reason(layer: str, code: str, message: str, remedy: str, colour: Colour) -> None:
    emit(f"\n  {paint(f'{layer}/{code}', colour)}  {clean(message)}")
    if remedy:
        emit(f"  → {clean(remedy)}")
