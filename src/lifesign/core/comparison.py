"""What the operators of conditions do: from an operator and its operand to a test of any value at all.

A test never raises. What is absent, or of the wrong sort, does not pass it.
"""

import json
import math
import re
from collections.abc import Callable

import re2

from lifesign.core.age import Age
from lifesign.core.jsonpath import Absent

MAX_FOUND = 200
MAX_PATTERN_MEMORY = 1 << 20
"""Bytes that one compiled regular expression may use; beyond its cache re2 goes on, only more slowly."""

UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_NUMBER = re.compile(r"^(-?\d+(?:\.\d+)?)\s*(ms|s|m|h|d|%)?$")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_LITERALS: dict[str, object] = {"true": True, "false": False, "null": None}

Test = Callable[[object], bool]


class OperandError(ValueError):
    """The operand does not fit its operator; the text goes on from the condition that it stands in."""


def test_for(operator: str, operand: str, *, unit_s: float) -> Test:
    """The test that an operator and its operand make. `unit_s` is how many seconds one unit of the subject is.

    Raises `OperandError`.
    """
    if operator in {"in", "not in"}:
        return _membership(operand, wanted=operator == "in")
    if operator in {"matches", "not matches"}:
        return _pattern(unquoted(operand), wanted=operator == "matches")
    if operator in {"contains", "not contains", "starts with", "ends with"}:
        return _text_test(operator, unquoted(operand))
    if operator in {"==", "!="}:
        return _equality(_read_operand(operand, unit_s), wanted=operator == "==")
    number = _read_operand(operand, unit_s)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise OperandError(f"{operand!r} is not a number, and {operator} needs one")
    return _ordering(operator, float(number))


def for_each(test: Test, *, of_all: bool) -> Test:
    """The test of a list whose items must all pass, or one of them. An empty list has nothing that could."""

    def each(value: object) -> bool:
        if not isinstance(value, list) or not value:
            return False
        return all(map(test, value)) if of_all else any(map(test, value))

    return each


def _equality(expected: object, *, wanted: bool) -> Test:
    def test(value: object) -> bool:
        if isinstance(value, Absent):
            return False
        if isinstance(expected, str) and not isinstance(value, str):
            return (shown(value) == expected) is wanted
        return (
            value == expected and isinstance(value, bool) is isinstance(expected, bool)
        ) is wanted

    return test


def _ordering(operator: str, limit: float) -> Test:
    compare: Callable[[float], bool] = {
        "<": lambda number: number < limit,
        "<=": lambda number: number <= limit,
        ">": lambda number: number > limit,
        ">=": lambda number: number >= limit,
    }[operator]

    def test(value: object) -> bool:
        number = _number(value)
        return number is not None and compare(number)

    return test


def _text_test(operator: str, expected: str) -> Test:
    def test(value: object) -> bool:
        if isinstance(value, Absent):
            return False
        if isinstance(value, list):
            found = expected in [item if isinstance(item, str) else shown(item) for item in value]
            return found is (operator == "contains") if "contains" in operator else False
        words = value if isinstance(value, str) else shown(value)
        if operator == "starts with":
            return words.startswith(expected)
        if operator == "ends with":
            return words.endswith(expected)
        return (expected in words) is (operator == "contains")

    return test


def _pattern(pattern: str, *, wanted: bool) -> Test:
    """Search with re2: in linear time whatever the pattern and the text, for both may come from strangers."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY
    try:
        compiled = re2.compile(_encoded(pattern), options)
    except re2.error as error:
        raise OperandError(_why_no_pattern(pattern, error)) from None

    def found_in(value: object) -> bool:
        words = value if isinstance(value, str) else shown(value)
        return compiled.search(_encoded(words)) is not None

    def test(value: object) -> bool:
        if isinstance(value, Absent):
            return False
        found = any(map(found_in, value)) if isinstance(value, list) else found_in(value)
        return found is wanted

    return test


def _why_no_pattern(pattern: str, error: Exception) -> str:
    """What re2 says (`missing ): (a`), with the character at which that piece stands."""
    told = error.args[0] if error.args else b""
    words = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    why, colon, piece = words.partition(": ")
    at = pattern.find(piece) + 1 if colon else 0
    place = f" at character {at}" if at else ""
    return f"the regular expression {pattern!r} cannot be read{place} ({why or 'no reason given'})"


def _encoded(text: str) -> bytes:
    """JSON may spell half a surrogate pair, which no UTF-8 can carry on."""
    return text.encode("utf-8", "replace")


def _membership(operand: str, *, wanted: bool) -> Test:
    ranges: list[tuple[float, float]] = []
    words: set[str] = set()
    for part in operand.strip().strip("[]()").split(","):
        item = part.strip()
        if match := _RANGE.fullmatch(item):
            ranges.append((float(match[1]), float(match[2])))
        elif match := _NUMBER.match(item):
            ranges.append((float(match[1]), float(match[1])))
        elif item:
            words.add(unquoted(item))
    if not ranges and not words:
        raise OperandError(f"{operand!r} is an empty set")

    def test(value: object) -> bool:
        if isinstance(value, Absent):
            return False
        number = _number(value)
        within = number is not None and any(low <= number <= high for low, high in ranges)
        return (within or shown(value) in words) is wanted

    return test


def _number(value: object) -> float | None:
    if isinstance(value, bool | Absent):
        return None
    if isinstance(value, int | float):
        return _float(value)
    match = _NUMBER.match(value.strip()) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _float(number: float) -> float:
    """A JSON document may hold integers that are larger than any float."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _read_operand(operand: str, unit_s: float) -> object:
    word = unquoted(operand)
    if word != operand.strip():
        return word
    match = _NUMBER.match(operand)
    if match is None:
        return _LITERALS.get(operand, operand)
    number = float(match[1])
    if match[2] in UNIT_S:
        number = number * UNIT_S[match[2]] / unit_s
    return int(number) if number.is_integer() else number


def unquoted(operand: str) -> str:
    """An operand without the quotes around it."""
    stripped = operand.strip()
    if stripped[:1] in {'"', "'"} and stripped[-1:] == stripped[:1] and len(stripped) > 1:
        return stripped[1:-1]
    return stripped


def shown(value: object) -> str:
    """A found value as people see it, cut to 200 characters."""
    if isinstance(value, Absent):
        return value.why
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    try:
        text = _written(value)
    except (ValueError, RecursionError):
        return "something too large to show"
    cut = text if len(text) <= MAX_FOUND else text[: MAX_FOUND - 1] + "…"
    return _encoded(cut).decode("utf-8")


def _written(value: object) -> str:
    if isinstance(value, str):
        return value
    return (
        str(value)
        if isinstance(value, Age)
        else json.dumps(value, ensure_ascii=False, default=_odd)
    )


def _odd(value: object) -> str:
    """What stands inside a list and is no JSON: an absent item, an age."""
    return value.why if isinstance(value, Absent) else str(value)
