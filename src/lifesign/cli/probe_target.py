"""What a command line means by its target: the kind, its settings, and what is expected."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lifesign.cli.access import let_in
from lifesign.cli.mcp_configs import words_as_they_are
from lifesign.cli.output import clean
from lifesign.cli.probing import Question, question_of
from lifesign.core.errors import InvalidError
from lifesign.probes.mcp.checks.canary_file import read_canaries
from lifesign.probes.mcp.checks.canary_settings import Canary
from lifesign.probes.registry import (
    Kind,
    guess_kind,
    load_kinds,
    settings_from,
    why_unrecognised,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that say what is probed and how."""

    target: str = ""
    command: list[str] | None = None
    kind: str | None = None
    settings: tuple[str, ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    expect: tuple[str, ...] = ()
    canaries: tuple[Canary, ...] = ()
    timeout_s: float | None = None


def question_for(asked: Asked) -> Question:
    """The question that the options make. Raises InvalidError."""
    command = asked.command
    kind, given = (
        _of_command(command, asked.kind) if command else recognise(asked.target, asked.kind)
    )
    if kind.passive:
        raise InvalidError(
            f"A {kind.name} monitor is told and not dialled, so it cannot be probed.",
            remedy="Add it with `lifesign monitor add` and let the job ping it.",
        )
    known = kind.settings.model_fields
    given |= let_in(known, headers=asked.headers, token=asked.token)
    if asked.canaries:
        if "canaries" not in known:
            raise InvalidError(f"--canary calls tools of MCP servers, and this is {kind.name}.")
        given["canaries"] = asked.canaries
    return question_of(kind, merged(given, asked.settings), asked.expect, asked.timeout_s)


def canaries_in(path: Path) -> tuple[Canary, ...]:
    """The canaries in a file, whose `${env:NAME}` are filled. Raises InvalidError with line and column."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as refusal:
        raise InvalidError(f"--canary: {path} cannot be read: {_why(refusal)}.") from None
    return read_canaries(text, source=str(path), environ=os.environ)


def _of_command(words: list[str], kind_name: str | None) -> tuple[Kind, dict[str, object]]:
    if kind_name not in {None, "mcp-stdio"}:
        raise InvalidError(
            f"--kind {kind_name} takes no command.",
            remedy="Leave --kind out, or the -- before the target.",
        )
    return load_kinds()["mcp-stdio"], {"command": words_as_they_are(words)}


def recognise(target: str, kind_name: str | None) -> tuple[Kind, dict[str, object]]:
    """The kind and settings that a target means. Raises InvalidError."""
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


def merged(guessed: Mapping[str, object], pairs: tuple[str, ...]) -> dict[str, object]:
    """The guessed settings with `key=value` pairs over them; `headers.X-Key=1` reaches into a map."""
    result: dict[str, object] = dict(guessed)
    for pair in pairs:
        path, equals, value = pair.partition("=")
        if not equals or not path:
            raise InvalidError(f"--set {pair.partition('=')[0]!r} is not of the form key=value.")
        key, dot, inner = path.partition(".")
        if value.startswith("@"):
            value = _text_of(key, Path(value[1:]))
        if not dot:
            result[key] = value
            continue
        outer = result.get(key)
        result[key] = {**(outer if isinstance(outer, Mapping) else {}), inner: value}
    return result


def _text_of(key: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as refusal:
        raise InvalidError(f"--set {key}: {path} cannot be read: {_why(refusal)}.") from None


def _why(refusal: OSError | UnicodeDecodeError) -> str:
    return getattr(refusal, "strerror", None) or "it is not UTF-8"
