r"""Conditions: small texts that are held against what a probe saw.

    status == 200                      compare a fact
    status in 200-299,301              a set of numbers and ranges, or of words
    warn: tls.days_left > 14           only degrades when it does not hold
    json("$.queue.depth") < 100        a value inside a JSON body
    header("content-type") contains "json"
    body contains "ok"                 also: not contains, starts with, ends with
    body matches "v\d+"                 a regular expression (RE2), also: not matches
    latency_ms < 800ms                 a unit is allowed: ms, s, m, h, d (read as the fact's own unit)
    exists(json("$.id"))               there is such a value
    age(json("$.lastEventAt")) < 5m    how long ago a timestamp was
    all(json("$.jobs[*].state")) == "ok"    every item of a list; any(…) for one of them

A condition never raises while it is held against facts: what is missing simply does not hold, and the
check says so. Compiling raises `ConditionError` with the place in the text.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from lifesign.core.age import age_of
from lifesign.core.comparison import OperandError, Test, for_each, shown, test_for
from lifesign.core.errors import InvalidError
from lifesign.core.jsonpath import MISSING, Absent, PathError, compile_path, walk, walk_every
from lifesign.core.model import Check, Level, Observation

MAX_TEXT = 500

_OPERATORS = (
    "not contains", "starts with", "ends with", "contains", "not matches", "matches", "not in", "in",
    "==", "!=", "<=", ">=", "<", ">",
)  # fmt: skip
_LISTED = (
    "`==`, `!=`, `<`, `<=`, `>`, `>=`, and the words `in`, `contains`, `matches` (each also with `not` before it),"
    " `starts with` and `ends with`"
)
_OPERATOR = "|".join(_OPERATORS).replace(" ", r"\s+")
_ORDERINGS = frozenset({"<", "<=", ">", ">="})
_PLAIN = r"""(?:json|header)\(\s*(?:"[^"]*"|'[^']*')\s*\)|[A-Za-z_][\w.]*"""
_SUBJECT = (
    r"(?:(?P<many>any|all)\(\s*)?(?:(?P<age>age)\(\s*)?"
    rf"(?P<subject>{_PLAIN})(?(age)\s*\))(?(many)\s*\))"
)
_COMPARISON = re.compile(
    rf"^\s*{_SUBJECT}\s*(?P<operator>{_OPERATOR})\s*(?P<operand>.+?)\s*$",
    re.DOTALL,
)
_EXISTENCE = re.compile(rf"^\s*(?P<negated>not\s+)?exists\(\s*(?P<subject>{_PLAIN})\s*\)\s*$")
_LEVEL = re.compile(r"^\s*(?P<level>warn|fail|info)\s*:\s*")
_FUNCTION = re.compile(r"""^(json|header)\(\s*(?:"([^"]*)"|'([^']*)')\s*\)$""")
_FACT_UNIT_S = (("_ms", 0.001), ("_s", 1.0), ("days_left", 86400.0))

Lookup = Callable[[Observation, datetime | None], object]


class ConditionError(InvalidError):
    """A condition's text cannot be understood."""

    code = "condition"


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition; `hold` is its whole use. `text` is without the level.

    `subject` is the fact, or the `json("…")` or `header("…")`, that it asks for. `asks_age` says that it is the
    age of that which is compared.
    """

    text: str
    level: Level
    subject: str
    look_up: Lookup
    test: Test
    asks_age: bool = False

    def hold(self, observation: Observation, now: datetime | None = None) -> Check:
        """Hold it against an observation made `now` and say what was found; without `now`, nothing has an age."""
        value = self.look_up(observation, now)
        return Check(self.text, self.test(value), shown(value), self.level)


def compile_condition(text: str) -> Condition:
    """Compile one condition. Raises `ConditionError` when the text is not one."""
    if len(text) > MAX_TEXT:
        raise ConditionError(f"A condition may have {MAX_TEXT} characters; this has {len(text)}.")
    level, rest = _split_level(text)
    if match := _EXISTENCE.match(rest):
        wanted = match["negated"] is None
        return Condition(
            rest.strip(), level, match["subject"], _lookup(match["subject"], is_many=False),
            lambda value: (not isinstance(value, Absent)) is wanted,
        )  # fmt: skip
    match = _COMPARISON.match(rest)
    # `===` and `=>` would otherwise be an operator with an odd operand that nothing ever equals.
    if match is None or match["operand"][0] in "=<>":
        raise ConditionError(
            f"The condition {text!r} is not of the form `fact operator value`.",
            remedy=f"The operators are {_LISTED}; for example `status == 200`.",
        )
    return _comparison(text, rest.strip(), level, match)


def _comparison(text: str, said: str, level: Level, match: re.Match[str]) -> Condition:
    subject, operator = match["subject"], " ".join(match["operator"].split())
    asks_age, many = match["age"] is not None, match["many"]
    if asks_age and operator not in _ORDERINGS:
        raise ConditionError(f"In the condition {text!r}, an age is compared with <, <=, > or >=.")
    try:
        unit_s = 1.0 if asks_age else _unit_of(subject)
        test = test_for(operator, match["operand"], unit_s=unit_s)
    except OperandError as error:
        raise ConditionError(f"In the condition {text!r}, {error}.") from None
    look_up = _lookup(subject, is_many=many is not None)
    if asks_age:
        look_up = _aged(look_up, is_many=many is not None)
    if many:
        test = for_each(test, of_all=many == "all")
    return Condition(said, level, subject, look_up, test, asks_age)


def _split_level(text: str) -> tuple[Level, str]:
    match = _LEVEL.match(text)
    return (Level(match["level"]), text[match.end() :]) if match else (Level.FAIL, text)


def _lookup(subject: str, *, is_many: bool) -> Lookup:
    function = _FUNCTION.match(subject)
    if function is None:
        return lambda observation, _now: _fact(observation, subject)
    argument = function[2] if function[2] is not None else function[3]
    if function[1] == "header":
        return lambda observation, _now: _header(observation, argument.lower())
    try:
        path = compile_path(argument)
    except PathError as error:
        raise ConditionError(error.message, remedy=error.remedy) from None
    # For any(…) and all(…) an item that lacks the value counts as one that does not hold.
    follow = walk_every if is_many and path.is_many else walk
    return lambda observation, _now: follow(_document(observation), path)


def _aged(look_up: Lookup, *, is_many: bool) -> Lookup:
    def look_up_age(observation: Observation, now: datetime | None) -> object:
        value = look_up(observation, now)
        if is_many and isinstance(value, list):
            return [age_of(item, now) for item in value]
        return age_of(value, now)

    return look_up_age


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


def _unit_of(subject: str) -> float:
    """How many seconds one unit of the fact is: `latency_ms` 0.001, `tls.days_left` 86,400, else 1."""
    return next((unit for ending, unit in _FACT_UNIT_S if subject.endswith(ending)), 1.0)
