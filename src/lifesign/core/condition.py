"""Conditions: small texts that are held against what a probe saw.

    status == 200                      compare a fact
    status in 200-299,301              a set of numbers and ranges, or of words
    warn: tls.days_left > 14           only degrades when it does not hold
    json("$.queue.depth") < 100        a value inside a JSON body
    header("content-type") contains "json"
    body contains "ok"                 also: not contains, starts with, ends with
    latency_ms < 800ms                 a unit is allowed: ms, s, m, h, d (read as the fact's own unit)
    exists(json("$.id"))               there is such a value

A condition never raises while it is held against facts: what is missing simply does not hold, and the
check says so. Compiling raises `ConditionError` with the place in the text.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from lifesign.core.errors import InvalidError
from lifesign.core.model import Check, Level, Observation

MAX_TEXT = 500
MAX_FOUND = 200

_OPERATORS = (
    "not contains", "starts with", "ends with", "contains", "not in", "in",
    "==", "!=", "<=", ">=", "<", ">",
)  # fmt: skip
_SUBJECT = r"""(?P<subject>(?:json|header)\(\s*(?:"[^"]*"|'[^']*')\s*\)|[A-Za-z_][\w.]*)"""
_COMPARISON = re.compile(
    rf"^\s*{_SUBJECT}\s*(?P<operator>not\s+contains|starts\s+with|ends\s+with|contains|not\s+in|in|==|!=|<=|>=|<|>)\s*(?P<operand>.+?)\s*$",
    re.DOTALL,
)
_EXISTENCE = re.compile(rf"^\s*(?P<negated>not\s+)?exists\(\s*{_SUBJECT}\s*\)\s*$")
_LEVEL = re.compile(r"^\s*(?P<level>warn|fail|info)\s*:\s*")
_NUMBER = re.compile(r"^(-?\d+(?:\.\d+)?)\s*(ms|s|m|h|d|%)?$")
_FUNCTION = re.compile(r"""^(json|header)\(\s*(?:"([^"]*)"|'([^']*)')\s*\)$""")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FACT_UNIT_S = (("_ms", 0.001), ("_s", 1.0), ("days_left", 86400.0))

MISSING = object()
Lookup = Callable[[Observation], object]


class ConditionError(InvalidError):
    """A condition's text cannot be understood."""

    code = "condition"


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition; `hold` is its whole use. `text` is without the level."""

    text: str
    level: Level
    subject: str
    look_up: Lookup
    test: Callable[[object], bool]

    def hold(self, observation: Observation) -> Check:
        """Hold it against an observation and say what was found."""
        value = self.look_up(observation)
        return Check(self.text, self.test(value), _shown(value), self.level)


def compile_condition(text: str) -> Condition:
    """Compile one condition. Raises `ConditionError` when the text is not one."""
    if len(text) > MAX_TEXT:
        raise ConditionError(f"A condition may have {MAX_TEXT} characters; this has {len(text)}.")
    level, rest = _split_level(text)
    if match := _EXISTENCE.match(rest):
        wanted = match["negated"] is None
        return Condition(
            rest.strip(), level, match["subject"], _lookup(match["subject"]),
            lambda value: (value is not MISSING) is wanted,
        )  # fmt: skip
    match = _COMPARISON.match(rest)
    # `===` and `=>` would otherwise be an operator with an odd operand that nothing ever equals.
    if match is None or match["operand"][0] in "=<>":
        raise ConditionError(
            f"The condition {text!r} is not of the form `fact operator value`.",
            remedy=f"Operators are {', '.join(_OPERATORS)}; for example `status == 200`.",
        )
    subject, operator = match["subject"], " ".join(match["operator"].split())
    test = _test(text, subject, operator, match["operand"])
    return Condition(rest.strip(), level, subject, _lookup(subject), test)


def _split_level(text: str) -> tuple[Level, str]:
    match = _LEVEL.match(text)
    return (Level(match["level"]), text[match.end() :]) if match else (Level.FAIL, text)


def _lookup(subject: str) -> Lookup:
    function = _FUNCTION.match(subject)
    if function is None:
        return lambda observation: _fact(observation, subject)
    argument = function[2] if function[2] is not None else function[3]
    if function[1] == "header":
        return lambda observation: _header(observation, argument.lower())
    steps = _json_path(argument)
    return lambda observation: _walk(_document(observation), steps)


def _fact(observation: Observation, name: str) -> object:
    if name in observation.facts:
        return observation.facts[name]
    return observation.content.get(name, MISSING)


def _header(observation: Observation, name: str) -> object:
    headers = cast("Mapping[str, str]", observation.content.get("headers", {}))
    return headers.get(name, MISSING)


def _document(observation: Observation) -> object:
    if "json" in observation.content:
        return observation.content["json"]
    try:
        return json.loads(cast("str", observation.content.get("body", "")))
    except (ValueError, RecursionError):
        return MISSING


def _json_path(path: str) -> tuple[str | int, ...]:
    """Split `$.a.b[0]["c d"]` into its steps; `length()` at the end counts."""
    if not path.startswith("$"):
        raise ConditionError(f"The JSON path {path!r} does not begin with `$`.")
    steps: list[str | int] = []
    rest = path[1:]
    step = re.compile(r"""\.(length\(\))|\.([\w-]+)|\[(-?\d+)\]|\[(?:"([^"]+)"|'([^']+)')\]""")
    while rest:
        match = step.match(rest)
        if match is None:
            raise ConditionError(
                f"The JSON path {path!r} cannot be read at {rest!r}.",
                remedy="Write it like `$.jobs[0].state`.",
            )
        steps.append(
            int(match[3]) if match[3] else cast("str", match[1] or match[2] or match[4] or match[5])
        )
        rest = rest[match.end() :]
    return tuple(steps)


def _walk(document: object, steps: tuple[str | int, ...]) -> object:
    for step in steps:
        document = _step(document, step)
        if document is MISSING:
            break
    return document


def _step(document: object, step: str | int) -> object:
    if isinstance(step, int):
        within = isinstance(document, list) and -len(document) <= step < len(document)
        return cast("list[object]", document)[step] if within else MISSING
    if step == "length()" and isinstance(document, list | dict | str):
        return len(document)
    return document.get(step, MISSING) if isinstance(document, dict) else MISSING


def _test(text: str, subject: str, operator: str, operand: str) -> Callable[[object], bool]:
    if operator in {"in", "not in"}:
        return _membership(text, operand, wanted=operator == "in")
    if operator in {"contains", "not contains", "starts with", "ends with"}:
        return _text_test(operator, _word(operand))
    if operator in {"==", "!="}:
        expected = _operand(subject, operand)
        return _equality(expected, wanted=operator == "==")
    number = _operand(subject, operand)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ConditionError(
            f"In the condition {text!r}, {operand!r} is not a number, and {operator} needs one."
        )
    return _ordering(operator, float(number))


def _equality(expected: object, *, wanted: bool) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        if value is MISSING:
            return False
        if isinstance(expected, str) and not isinstance(value, str):
            return (_shown(value) == expected) is wanted
        return (
            value == expected and isinstance(value, bool) is isinstance(expected, bool)
        ) is wanted

    return test


def _ordering(operator: str, limit: float) -> Callable[[object], bool]:
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


def _text_test(operator: str, expected: str) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        if value is MISSING:
            return False
        if isinstance(value, list):
            found = expected in [item if isinstance(item, str) else _shown(item) for item in value]
            return found is (operator == "contains") if "contains" in operator else False
        words = value if isinstance(value, str) else _shown(value)
        if operator == "starts with":
            return words.startswith(expected)
        if operator == "ends with":
            return words.endswith(expected)
        return (expected in words) is (operator == "contains")

    return test


def _membership(text: str, operand: str, *, wanted: bool) -> Callable[[object], bool]:
    ranges: list[tuple[float, float]] = []
    words: set[str] = set()
    for part in operand.strip().strip("[]()").split(","):
        item = part.strip()
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", item):
            ranges.append((float(match[1]), float(match[2])))
        elif match := _NUMBER.match(item):
            ranges.append((float(match[1]), float(match[1])))
        elif item:
            words.add(_word(item))
    if not ranges and not words:
        raise ConditionError(f"The condition {text!r} names an empty set.")

    def test(value: object) -> bool:
        if value is MISSING:
            return False
        number = _number(value)
        within = number is not None and any(low <= number <= high for low, high in ranges)
        return (within or _shown(value) in words) is wanted

    return test


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is MISSING:
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


def _operand(subject: str, operand: str) -> object:
    quoted = operand[:1] in {'"', "'"} and operand[-1:] == operand[:1] and len(operand) > 1
    if quoted:
        return operand[1:-1]
    match = _NUMBER.match(operand)
    if match is None:
        return {"true": True, "false": False, "null": None}.get(operand, operand)
    number = float(match[1])
    if match[2] in _UNIT_S:
        number = number * _UNIT_S[match[2]] / _unit_of(subject)
    return int(number) if number.is_integer() else number


def _unit_of(subject: str) -> float:
    """How many seconds one unit of the fact is: `latency_ms` 0.001, `tls.days_left` 86,400, else 1."""
    return next((unit for ending, unit in _FACT_UNIT_S if subject.endswith(ending)), 1.0)


def _word(operand: str) -> str:
    stripped = operand.strip()
    if stripped[:1] in {'"', "'"} and stripped[-1:] == stripped[:1] and len(stripped) > 1:
        return stripped[1:-1]
    return stripped


def _shown(value: object) -> str:
    if value is MISSING:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    try:
        shown = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )
    except (ValueError, RecursionError):
        return "something too large to show"
    cut = shown if len(shown) <= MAX_FOUND else shown[: MAX_FOUND - 1] + "…"
    # JSON may spell half a surrogate pair, which no UTF-8 can carry on.
    return cut.encode("utf-8", "replace").decode("utf-8")
