"""JSON as editors write it: with comments and commas that nothing follows; errors say line and column."""

import json
import re

_TOKENS = re.compile(
    r"""
    (?P<text>"(?:[^"\\\n]|\\.)*")
    | (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<comma>,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]]))
    """,
    re.VERBOSE | re.DOTALL,
)


class JSONCError(ValueError):
    """The text is no JSON, not even with comments; `line` and `column` count from 1."""

    def __init__(self, what: str, line: int, column: int) -> None:
        super().__init__(what)
        self.line = line
        self.column = column


def read_jsonc(text: str) -> object:
    """The value. Raises JSONCError."""
    try:
        return json.loads(_plain(text))
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise JSONCError(what, error.lineno, error.colno) from None
    except RecursionError:
        raise JSONCError("it is nested too deeply", 1, 1) from None


def _plain(text: str) -> str:
    """The text with blanks in place of what JSON does not know, so that every place in it stays where it is."""
    return _TOKENS.sub(_blanked, text)


def _blanked(found: re.Match[str]) -> str:
    if found["text"]:
        return found[0]
    return re.sub(r"[^\n]", " ", found[0])
