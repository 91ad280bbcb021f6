"""`${name}` in the arguments of a canary's calls: what an earlier call gave, filled into a later one. Pure."""

import re
from collections.abc import Iterator, Mapping

import msgspec

MAX_DEPTH = 30
NAME = r"[A-Za-z_]\w{0,40}"
_PLACEHOLDER = re.compile(rf"(\$?)\$\{{({NAME})\}}", re.ASCII)


def names_in(value: object, depth: int = 0) -> Iterator[str]:
    """The names that are to be filled in. Raises ValueError when the value is nested too deeply."""
    if depth > MAX_DEPTH:
        raise ValueError(f"arguments are nested at most {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        for match in _PLACEHOLDER.finditer(value):
            if not match[1]:
                yield match[2]
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from names_in(below, depth + 1)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from names_in(below, depth + 1)


def filled(value: object, known: Mapping[str, object]) -> object:
    """The value with its placeholders filled in; a text that is nothing but one becomes the taken value itself.

    `$${name}` stands for a literal `${name}`. Raises KeyError for a name that was never taken.
    """
    if isinstance(value, str):
        return _filled_text(value, known)
    if isinstance(value, Mapping):
        return {key: filled(below, known) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [filled(below, known) for below in value]
    return value


def _filled_text(text: str, known: Mapping[str, object]) -> object:
    whole = _PLACEHOLDER.fullmatch(text)
    if whole is not None and not whole[1]:
        return known[whole[2]]

    def fill(match: re.Match[str]) -> str:
        return match[0][1:] if match[1] else _as_text(known[match[2]])

    return _PLACEHOLDER.sub(fill, text)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
