"""Whether a result matches the outputSchema of its tool: JSON Schema on terms that a hostile server cannot abuse.

Both the schema and the value come from strangers, so: nothing remote is ever fetched; regular expressions run in
linear time (re2); the number of keywords that are looked at is bounded, which also bounds schemas that refer to
themselves; and a schema that cannot be used on these terms is not held against the result. Whether the schema itself
is sound is told where the tools are listed.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec
import re2
from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
)
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_SCHEMA = 64 * 1024
"""Bytes of a schema that is used at all; the output schemas of real servers have a few kilobytes."""
MAX_VALUE = 2 * 1024 * 1024
MAX_KEYWORDS = 50_000
"""How many keywords are looked at for one value, some 20 µs each at worst."""
MAX_SHOWN = 80

_DRAFTS: Mapping[str, Any] = {
    "http://json-schema.org/draft-04/schema": Draft4Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
}
"""By `$schema`, without the fragment; everything else is 2020-12, the default of MCP since 2025-11-25."""

Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class _TooMuchError(Exception):
    """The bound on keywords was reached."""


def find_violation(schema: Mapping[str, Any], value: object) -> str:
    """Where and how the value breaks the schema, in a few words; empty when it does not, or when nobody can say."""
    if not _is_usable(schema) or not _is_small(value, MAX_VALUE):
        return ""
    draft = _DRAFTS.get(str(schema.get("$schema", "")).rstrip("#"), Draft202012Validator)
    own = {name: part for name, part in schema.items() if name != "$schema"}
    try:
        draft.check_schema(own)
        bounded = extend(draft, _bounded(draft.VALIDATORS))  # type: ignore[no-untyped-call]  # jsonschema left it untyped
        error = next(bounded(own, registry=Registry()).iter_errors(value), None)
    except (SchemaError, Unresolvable, RecursionError, ArithmeticError, _TooMuchError):
        return ""
    return "" if error is None else _told(cast("ValidationError", error))


def _told(error: ValidationError) -> str:
    try:
        wanted = json.dumps(error.validator_value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        wanted = "…"
    short = wanted if len(wanted) <= MAX_SHOWN else wanted[: MAX_SHOWN - 1] + "…"
    where = error.json_path.encode("ascii", "backslashreplace").decode()[:MAX_SHOWN]
    return f"`{where}` breaks `{error.validator}: {short}`"


def _is_usable(schema: Mapping[str, Any]) -> bool:
    """Small enough, of one draft, and without the one pair of keywords that cannot be made safe."""
    if not _is_small(schema, MAX_SCHEMA):
        return False
    words: set[str] = set()
    stack: list[object] = [value for name, value in schema.items() if name != "$schema"]
    words |= schema.keys() - {"$schema"}
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$schema"), str):
                return False
            words |= node.keys()
            stack += node.values()
        elif isinstance(node, list):
            stack += node
    return not {"unevaluatedProperties", "patternProperties"} <= words


def _is_small(value: object, limit: int) -> bool:
    try:
        return len(msgspec.json.encode(value)) <= limit
    except (RecursionError, msgspec.MsgspecError, TypeError):
        return False


def _bounded(keywords: Mapping[str, Keyword]) -> dict[str, Keyword]:
    """The keywords of a draft, counted, with those that could take for ever replaced."""
    left = MAX_KEYWORDS
    patterns = _Patterns()
    own: dict[str, Keyword] = {
        "pattern": patterns.check_text,
        "patternProperties": patterns.check_properties,
        "additionalProperties": patterns.check_additional,
        "uniqueItems": _check_unique,
    }

    def counted(keyword: Keyword) -> Keyword:
        def look(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
            nonlocal left
            left -= 1
            if left < 0:
                raise _TooMuchError
            yield from keyword(validator, wanted, value, schema) or ()

        return look

    return {name: counted(own.get(name, keyword)) for name, keyword in keywords.items()}


class _Patterns:
    """The keywords with regular expressions. One that re2 cannot read (lookaround) is taken as matching."""

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}

    def check_text(
        self, validator: Any, pattern: Any, value: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        if validator.is_type(value, "string") and not self._is_found(pattern, value):
            yield ValidationError("does not match")

    def check_properties(
        self, validator: Any, patterns: Any, value: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        if not validator.is_type(value, "object"):
            return
        for pattern, schema in patterns.items():
            for name, part in value.items():
                if self._is_found(pattern, name):
                    yield from validator.descend(part, schema, path=name, schema_path=pattern)

    def check_additional(
        self, validator: Any, wanted: Any, value: Any, schema: Any
    ) -> Iterator[ValidationError]:
        if not validator.is_type(value, "object"):
            return
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, part in value.items():
            if name in known or any(self._is_found(pattern, name) for pattern in patterns):
                continue
            if wanted is False:
                yield ValidationError("is not expected")
            else:
                yield from validator.descend(part, wanted, path=name)

    def _is_found(self, pattern: str, text: str) -> bool:
        if pattern not in self._compiled:
            self._compiled[pattern] = _compiled(pattern)
        compiled = self._compiled[pattern]
        return compiled is None or compiled.search(text.encode("utf-8", "replace")) is not None


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error:
        return None


def _check_unique(
    validator: Any, wanted: Any, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    """In linear time; the usual way compares every two items."""
    if not wanted or not validator.is_type(value, "array"):
        return
    seen: set[bytes] = set()
    for item in value:
        written = msgspec.json.encode(item, order="deterministic")
        if written in seen:
            yield ValidationError("has an item twice")
            return
        seen.add(written)
