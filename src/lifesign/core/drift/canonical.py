"""One text for equal JSON: RFC 8785 after NFC, so that the same thing always gets the same name.

Key order, number form (`1`, `1.0`, `1e0`) and Unicode form never matter. Beyond RFC 8785
(https://www.rfc-editor.org/rfc/rfc8785), because what servers publish is not always what that RFC admits:
- a member whose value is null is left out, as if it had not been sent; null stays in lists;
- integers beyond 2^53 are written as the nearest double, as ECMAScript reads them; what is no finite number is null;
- a lone surrogate, which UTF-8 cannot hold, is written as U+FFFD;
- of two keys that NFC makes one, the one that sorts last by code points wins.
"""

import math
import re
import unicodedata
from collections.abc import Mapping

import msgspec
import rfc8785

MAX_DEPTH = 500
"""Levels of nesting; real schemas have fewer than 30, and Python's stack ends near 1,000."""

_SAFE_INTEGER = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")

Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | msgspec.Raw | None
"""A JSON value. `normal` makes one that msgspec writes as it is: keys sorted, strings in NFC, no float but ready-made."""


class CanonicalError(ValueError):
    """What was given is no JSON value."""


class TooDeepError(CanonicalError):
    """What was given is nested deeper than is read."""


def canonical(value: object) -> bytes:
    """The canonical JSON of a decoded JSON value, as UTF-8.

    Raises TooDeepError beyond `MAX_DEPTH` levels and CanonicalError for what JSON does not know.
    """
    return encode(normal(value))


def encode(plain: Plain) -> bytes:
    """The canonical JSON of a normal form, or of what was put together from normal forms in sorted order."""
    return msgspec.json.encode(plain)


def same(one: Plain, other: Plain) -> bool:
    """Whether two values are the same JSON; Python's `==` takes false for 0 and true for 1."""
    return one is other or (one == other and encode(one) == encode(other))


def normal(value: object, *, depth: int = 0) -> Plain:
    """The normal form of a decoded JSON value that stands `depth` levels deep; raises as `canonical` does."""
    try:
        return _normal(value, depth)
    except RecursionError:
        # The caller itself stood deep; its levels and ours share one stack.
        raise _too_deep() from None


def _normal(value: object, depth: int) -> Plain:
    # One frame a level, so without comprehensions and inner calls: 500 levels must fit Python's 1,000 frames.
    if depth > MAX_DEPTH:
        raise _too_deep()
    match value:
        case str():
            return text(value)
        case None | bool():
            return value
        case int() | float():
            return _number(value)
        case Mapping():
            named: dict[str, Plain] = {}
            keys = _sorted_keys(value)
            for key in keys:
                member = _normal(value[key], depth + 1)
                if member is not None:
                    named[text(key)] = member
            return named if "".join(keys).isascii() else _resorted(named)
        case list() | tuple():
            items: list[Plain] = []
            for item in value:
                items.append(_normal(item, depth + 1))  # noqa: PERF401 - see above
            return items
    raise CanonicalError(f"A {type(value).__name__} is no JSON value.")


def _resorted(named: dict[str, Plain]) -> dict[str, Plain]:
    """NFC may have moved a key (U+212A becomes K), and RFC 8785 section 3.2.3 sorts by UTF-16 code units."""
    return {key: named[key] for key in sorted(named, key=lambda key: key.encode("utf-16-be"))}


def _sorted_keys(members: Mapping[object, object]) -> list[str]:
    keys = [key for key in members if isinstance(key, str)]
    if len(keys) != len(members):
        raise CanonicalError("The keys of a JSON object are strings.")
    return sorted(keys)


def _number(value: float) -> Plain:
    if isinstance(value, int) and -_SAFE_INTEGER < value < _SAFE_INTEGER:
        return value
    try:
        double = float(value)
    except OverflowError:
        return None
    if not math.isfinite(double):
        return None
    return msgspec.Raw(rfc8785.dumps(double))


def text(value: str) -> str:
    """A string in NFC, without lone surrogates."""
    if value.isascii():
        return value
    return unicodedata.normalize("NFC", _SURROGATE.sub("\ufffd", value))


def _too_deep() -> TooDeepError:
    return TooDeepError(
        f"The JSON value is nested deeper than {MAX_DEPTH} levels; no client reads such a schema."
    )
