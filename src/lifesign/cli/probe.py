"""`lifesign probe TARGET`: the real probe, once, drawn layer by layer or printed as one JSON object.

`lifesign probe -- COMMAND …` starts an MCP server and probes it over stdio; `--config FILE` probes what a file names.

Exit code 0 means up, 2 not up (degraded and unknown too), 64 that the command line cannot be used.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from lifesign.cli.dashes import COMMAND
from lifesign.cli.mcp_configs import words_as_they_are
from lifesign.cli.output import Colour, clean, emit, emit_json, note, paint, state_word
from lifesign.cli.probe_config import probe_config
from lifesign.cli.probe_facts import told_facts
from lifesign.cli.probing import Finished, Question, as_object, ask, question_of
from lifesign.core.errors import InvalidError
from lifesign.core.ladder import Rung, as_text, ladder
from lifesign.core.model import State
from lifesign.core.units import parse_duration
from lifesign.probes.registry import (
    Kind,
    guess_kind,
    load_kinds,
    settings_from,
    why_unrecognised,
)

EXIT_NOT_UP = 2
_MAX_TIMEOUT_S = 300.0
_MOST_LAST_WORDS = 12

_RUNG_COLOURS: Mapping[str, Colour] = {"ok": "green", "failed": "red", "skipped": "dim"}


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A URL, host:port, or MCP endpoint; after `--`, the command of an MCP server over stdio.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Probe every server in an MCP client's file (mcp.json and others)."
    ),
]


def probe(  # noqa: PLR0917 - Typer calls it by name
    ctx: typer.Context,
    target: Target = "",
    config: ConfigFile = None,
    kind: Annotated[
        str | None, typer.Option(help="What to take it for, when the guess would be wrong.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="COND", help="A condition that must hold, such as 'status == 200'."),
    ] = None,
    timeout: Annotated[
        str, typer.Option(help="Give up after this long (default: 10s, and 30s for a command).")
    ] = "",
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
    timeout_s = _seconds(timeout) if timeout else None
    command: list[str] | None = ctx.meta.get(COMMAND)
    _require_one(target, command, config)
    if config is not None:
        _require_nothing_else(kind, settings)
        is_up = probe_config(config, expect=expect or [], timeout_s=timeout_s, as_json=as_json)
        raise typer.Exit(0 if is_up else EXIT_NOT_UP)
    found, given = _of_command(command, kind) if command else _recognise(target, kind)
    question = _understand(found, _merge(given, settings or []), expect or [], timeout_s)
    if not as_json:
        note(f"Probing {clean(question.target)} as {question.kind.name} …")
    finished = asyncio.run(ask(question))
    if as_json:
        emit_json(as_object(question, finished))
    else:
        _draw(question, finished)
    raise typer.Exit(0 if finished.outcome.state is State.UP else EXIT_NOT_UP)


def _require_one(target: str, command: list[str] | None, config: Path | None) -> None:
    given = [bool(target), command is not None, config is not None]
    if command == []:
        raise InvalidError(
            "After -- stands no command.", remedy="Write it there, with its options."
        )
    if sum(given) != 1:
        what = (
            "Nothing is given to probe"
            if not any(given)
            else "More than one thing is given to probe"
        )
        remedy = "Give either a TARGET, or a command after --, or --config FILE."
        raise InvalidError(f"{what}.", remedy=remedy)


def _require_nothing_else(kind: str | None, pairs: list[str] | None) -> None:
    if kind is not None or pairs:
        raise InvalidError("--kind and --set do not go with --config, whose file says all that.")


def _of_command(words: list[str], kind_name: str | None) -> tuple[Kind, dict[str, object]]:
    if kind_name not in {None, "mcp-stdio"}:
        raise InvalidError(
            f"--kind {kind_name} takes no command.",
            remedy="Leave --kind out, or the -- before the target.",
        )
    return load_kinds()["mcp-stdio"], {"command": words_as_they_are(words)}


def _understand(
    kind: Kind, given: Mapping[str, object], expect: list[str], timeout_s: float | None
) -> Question:
    if kind.passive:
        raise InvalidError(
            f"A {kind.name} monitor is told and not dialled, so it cannot be probed.",
            remedy="Add it with `lifesign monitor add` and let the job ping it.",
        )
    return question_of(kind, given, expect, timeout_s)


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
        if question.kind.name == "mcp-stdio":
            _draw_last_words(failure.evidence)
    for finding in finished.observation.findings:
        if failure is None or finding.message != failure.message:
            colour: Colour = "yellow" if finding.level == "warn" else "dim"
            _draw_reason(finding.layer, finding.code, finding.message, finding.remedy, colour)


def _draw_rungs(rungs: list[Rung]) -> None:
    for rung, line in zip(rungs, as_text(rungs).splitlines(), strict=True):
        shape, rest = line[:1], clean(line[1:])
        colour = _RUNG_COLOURS[rung.state]
        emit(f"  {paint(shape, colour)}{paint(rest, 'dim') if rung.state == 'skipped' else rest}")


def _draw_last_words(evidence: str) -> None:
    """What a program said instead of an answer: nobody else shows it to whoever started it here."""
    for line in evidence.splitlines()[-_MOST_LAST_WORDS:]:
        emit(f"    {paint(clean(line, 200), 'dim')}")


def _draw_reason(layer: str, code: str, message: str, remedy: str, colour: Colour) -> None:
    emit(f"\n  {paint(f'{layer}/{code}', colour)}  {clean(message)}")
    if remedy:
        emit(f"  → {clean(remedy)}")
