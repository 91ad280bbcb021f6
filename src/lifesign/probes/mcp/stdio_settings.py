"""What a monitor of an MCP server over stdio is told, what it may tell, and how its command line is shown."""

import re
import shlex
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from lifesign.probes.mcp.facts import CommonFacts
from lifesign.probes.mcp.settings import ServerSettings

HIDDEN = "***"
_HOLE = "@@@"
"""Stands for what is hidden until the words are quoted: a shell leaves it as it is."""
MAX_SHOWN = 200
"""How much of a command line is shown, in characters."""

_NAME = re.compile(r"[^=\s\0]{1,200}")
"""Systems allow anything but `=` and NUL in the name of a variable; npm and others make use of that."""
_KEY = re.compile(r"(?i)(key|token|secret|passw(or)?d|pwd|credential|auth|bearer|pat)$")
_HEADER = re.compile(r"(?i)^([\w-]*(?:authorization|key|token|secret|cookie)[\w-]*):\s*\S.*$")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(\w+://[^\s?]+)\?\S+")
_WELL_KNOWN = re.compile(r"\b(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|eyJ)[\w.-]{8,}")
"""How keys begin that say themselves what they are (GitHub, GitLab, Slack, AWS, OpenAI and others, JWTs)."""


def _split(given: object) -> object:
    """One text, or a list that is just one text, is read as a shell would read it; the words of a list stay whole."""
    if isinstance(given, list | tuple) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str):
        return given
    try:
        return shlex.split(given)
    except ValueError as error:
        raise ValueError(f"the command cannot be split: {str(error).lower()}") from None


def _checked_command(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command[0].strip():
        raise ValueError("the first word is the program and cannot be empty")
    if any("\0" in word for word in command):
        raise ValueError("a command line holds no NUL")
    return command


def _checked_env(env: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in env.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is not a variable's name")
        if "\0" in value.get_secret_value():
            raise ValueError(f"the value of {name} holds a NUL")
    return env


def _checked_cwd(cwd: str | None) -> str | None:
    if cwd and (not cwd.startswith("/") or "\0" in cwd):
        raise ValueError("give the whole path of the directory, from / on")
    return cwd or None


class Program(BaseModel):
    """What is started."""

    command: Annotated[
        tuple[Annotated[str, Field(max_length=8192)], ...],
        BeforeValidator(_split),
        AfterValidator(_checked_command),
    ] = Field(
        min_length=1,
        max_length=200,
        title="Command",
        description=(
            "The program and its arguments, a list or one text with blanks between the words (`npx -y some-server`). "
            "No shell reads it. Keys belong into `env`."
        ),
    )
    env: Annotated[dict[str, SecretStr], AfterValidator(_checked_env)] = Field(
        default_factory=dict,
        max_length=100,
        title="Environment",
        description=(
            "Variables that the program gets besides HOME, PATH, LANG and the like; nothing else of this server's "
            "own environment reaches it. Values are kept secret."
        ),
    )
    cwd: Annotated[str | None, AfterValidator(_checked_cwd)] = Field(
        default=None, title="Directory", description="The directory to start it in."
    )


class StdioSettings(ServerSettings, Program):
    """Starts an MCP server as a program, speaks to it over stdin and stdout as an assistant would, and ends it."""

    # The fields of `Program` come first, because it is the last of the bases.


class ProgramFacts(BaseModel):
    """The program."""

    stray_lines: int = Field(description="How many lines on stdout were no messages.")
    ended_by: str = Field(
        description="What made it end: itself, stdin (its end of input), terminate or kill."
    )
    exit_code: int = Field(
        description="Its exit code; a signal's number below zero when one ended it."
    )


class StdioFacts(CommonFacts):
    """What conditions may ask of an MCP server over stdio."""

    program: ProgramFacts


def target(settings: StdioSettings) -> str:
    """The command line as people see it, without what looks like a key: those belong into `env`, and some do not."""
    secrets = [value.get_secret_value() for value in settings.env.values()]
    words = list(_without_keys(settings.command))
    shown = shlex.join(words).replace(_HOLE, HIDDEN)
    for secret in secrets:
        if len(secret) > 3:
            shown = shown.replace(secret, HIDDEN)
    shown = " ".join(shown.split())
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def _without_keys(command: tuple[str, ...]) -> Iterator[str]:
    is_key = False
    for word in command:
        name, equals, _ = word.partition("=")
        if is_key:
            yield _HOLE
        elif equals and _KEY.search(name):
            yield f"{name}={_HOLE}"
        else:
            yield _without_parts(word)
        is_key = not is_key and word.startswith("-") and not equals and bool(_KEY.search(word))


def _without_parts(word: str) -> str:
    """A word with the keys inside it taken out: a header, a user's name and password, a query, a well-known key."""
    word = _HEADER.sub(rf"\1: {_HOLE}", word)
    word = _QUERY.sub(rf"\1?{_HOLE}", _USERINFO.sub(f"{_HOLE}@", word))
    return _WELL_KNOWN.sub(_HOLE, word)
