"""How a command is told to reach a server: headers, a token that no command line shows, and how long it may take."""

import os
from collections.abc import Mapping, Sequence

from lifesign.cli.output import clean
from lifesign.core.errors import InvalidError
from lifesign.core.units import parse_duration

MAX_TIMEOUT_S = 300.0


def headers_of(texts: Sequence[str]) -> dict[str, str]:
    """The headers that `--header` gives. Raises InvalidError, which never shows a value."""
    named: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise InvalidError("--header is written as 'Name: value'.")
        named[name.strip()] = value.strip()
    return named


def token_of(variable: str, environ: Mapping[str, str] = os.environ) -> str:
    """The token in the variable that `--token-env` names; empty when it names none. Raises InvalidError."""
    token = environ.get(variable, "") if variable else ""
    if variable and not token:
        raise InvalidError(
            f"--token-env names the variable {clean(variable, 80)}, which is empty or not set."
        )
    return token


def seconds_of(text: str, *, option: str = "--timeout", most_s: float = MAX_TIMEOUT_S) -> float:
    """A duration option in seconds, more than nothing and at most `most_s`. Raises InvalidError."""
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise InvalidError(f"{option} cannot be read: {error}.") from None
    if not 0 < seconds <= most_s:
        raise InvalidError(f"{option} is between 1ms and {most_s:.0f}s.")
    return seconds


def let_in(
    known: Mapping[str, object], *, headers: Mapping[str, str], token: str
) -> dict[str, object]:
    """Headers and token as settings of a kind whose fields are `known`. Raises InvalidError when it has no such thing."""
    for option, is_given, field in (
        ("--header", bool(headers), "headers"),
        ("--token-env", bool(token), "bearer_token"),
    ):
        if is_given and field not in known:
            raise InvalidError(f"{option} is for what is asked over HTTP, and this is not.")
    given: dict[str, object] = {}
    if headers:
        given["headers"] = dict(headers)
    if token:
        given["bearer_token"] = token
    return given
