"""Where a manifest comes from: a file, an MCP server at a URL, or one that is started for the question."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lifesign.cli.access import headers_of, seconds_of, token_of
from lifesign.cli.mcp_configs import words_as_they_are
from lifesign.cli.output import clean, note
from lifesign.cli.probing import Question, ask, question_of
from lifesign.core.drift.manifest import Manifest, ManifestError, load, manifest_of
from lifesign.core.errors import InvalidError, LifesignError
from lifesign.core.model import Level, Observation
from lifesign.probes.registry import load_kinds, settings_from

MAX_FILE_BYTES = 64_000_000


class UnreadableError(LifesignError):
    """Nothing could be compared, because one side could not be read."""

    code = "unreadable"


@dataclass(frozen=True, slots=True)
class Access:
    """How a server is asked: headers, a bearer token, and how long it may take."""

    headers: Mapping[str, str]
    token: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Source:
    """A manifest and where it was found, as people see it."""

    name: str
    manifest: Manifest


def access(headers: Sequence[str], token_env: str, timeout: str) -> Access:
    """Read the options that every command shares; what cannot be used is told as a wrong command line."""
    return Access(headers_of(headers), token_of(token_env), seconds_of(timeout))


def read(name: str, how: Access) -> Source:
    """The manifest of a file, or of the server at a URL."""
    if "://" not in name and Path(name).is_file():
        return read_file(Path(name))
    return read_server(question(name, None, how))


def read_file(path: Path) -> Source:
    """The manifest in a file."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UnreadableError(f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        text = path.read_text("utf-8")
    except OSError as refusal:
        raise UnreadableError(
            f"{path} cannot be read: {refusal.strerror}.",
            remedy="Write it with `lifesign manifest snapshot URL -o FILE`.",
        ) from None
    except UnicodeDecodeError:
        raise UnreadableError(f"{path} cannot be read: it is not UTF-8.") from None
    try:
        return Source(str(path), load(text, source=str(path)))
    except ManifestError as error:
        # The command line was right; the file is not.
        raise UnreadableError(error.message, remedy=error.remedy) from None


def read_server(asked: Question) -> Source:
    """What a server publishes now. Raises UnreadableError with the broken layer when it cannot be read whole."""
    observed = asyncio.run(ask(asked)).observation
    target, failure = clean(asked.target), observed.failure
    if observed.surface is None or observed.surface.document is None:
        why = f"{failure.layer}/{failure.code}: {failure.message}" if failure else _why(observed)
        raise UnreadableError(
            f"{target} could not be read whole. {clean(why)}",
            remedy=clean(failure.remedy) if failure else "",
        )
    # What is published was read all the same: what else is wrong is told, and is no drift.
    warnings = [each for each in observed.findings if each.level is Level.WARN]
    for told in ([failure] if failure else []) + warnings:
        note(f"{target}: {told.layer}/{told.code}: {clean(told.message)}")
    return Source(target, manifest_of(observed.surface.document))


def _why(observed: Observation) -> str:
    """Why there is no surface although the server answered: what was found on the way."""
    said = [f"{each.layer}/{each.code}: {each.message}" for each in observed.findings]
    return " ".join(said) or "One of its lists is incomplete."


def question(url: str, command: Sequence[str] | None, how: Access) -> Question:
    """How the server at `url`, or the one that `command` starts, is asked. Raises InvalidError."""
    if bool(url) == (command is not None) or command == []:
        raise InvalidError(
            "Name one server.", remedy="Give a URL, or `--` and the command that starts it."
        )
    kinds = load_kinds()
    if command is not None:
        if how.headers or how.token:
            raise InvalidError("--header and --token-env are for a server at a URL, not a command.")
        given: dict[str, object] = {"command": words_as_they_are(list(command))}
        return question_of(kinds["mcp-stdio"], given, (), how.timeout_s)
    given = settings_from(kinds["mcp"], url)
    # One session is enough here: a gate asks what is published, and not how well the server is kept up.
    given |= {"session_calls": 0, "headers": dict(how.headers)}
    if how.token:
        given["bearer_token"] = how.token
    return question_of(kinds["mcp"], given, (), how.timeout_s)
