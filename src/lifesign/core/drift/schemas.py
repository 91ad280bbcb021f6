"""Where schemas stand within a JSON Schema, and what of one is structure and what only text.

The keywords are those of draft 2020-12 and, where they differ, of draft 7, which half of all servers still send
(https://json-schema.org/draft/2020-12/json-schema-core, section 10).
"""

from collections.abc import Mapping

from lifesign.core.drift.canonical import Plain, encode

Schema = Mapping[str, Plain]
"""A schema as an object; `true` and `false` are written as `{}` and `{"not": {}}`."""

EVERYTHING: Schema = {}
NOTHING: Schema = {"not": {}}

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_MAX_HOPS = 20

SCHEMA_MAPS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)
"""Their members are named by the author; each value is a schema."""

SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Each item is a schema."""

ONE_SCHEMA = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""The value is a schema; `items` of draft 7 may also be a list of them."""

TEXTS = frozenset({"description", "title", "examples", "default", "$comment"})
"""What people and models read, and what no call is refused for."""

SETS = frozenset({"enum", "required", "type"})
"""Lists whose order means nothing."""


def structure(schema: Plain) -> Plain:
    """A schema without its texts, its set-like lists sorted: equal for schemas that accept the same calls."""
    # One frame a level and no comprehension around the inner call, as in `canonical`.
    if isinstance(schema, list):
        listed: list[Plain] = []
        for each in schema:
            listed.append(structure(each))  # noqa: PERF401 - see above
        return listed
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Plain] = {}
    for keyword, value in schema.items():
        if keyword in TEXTS:
            continue
        if keyword in SCHEMA_MAPS and isinstance(value, dict):
            named: dict[str, Plain] = {}
            for name, each in value.items():
                named[name] = structure(each)
            kept[keyword] = named
        elif keyword in SCHEMA_LISTS or keyword in ONE_SCHEMA:
            kept[keyword] = structure(value)
        else:
            kept[keyword] = _sorted(value) if keyword in SETS else value
    return kept


def _sorted(value: Plain) -> Plain:
    return sorted(value, key=encode) if isinstance(value, list) else value


def as_schema(value: Plain) -> Schema:
    """A schema as an object. What is no schema at all says nothing about values, so it admits everything."""
    if value is False:
        return NOTHING
    return value if isinstance(value, dict) else EVERYTHING


def is_nothing(schema: Schema) -> bool:
    """Whether no value at all is admitted."""
    return schema.get("not") == {} or schema.get("not") is True


def resolve(schema: Schema, root: Plain) -> tuple[Schema, str]:
    """A schema with its local reference and its single `allOf` put in place, and the reference that was followed.

    A reference elsewhere is never fetched: it stays as a keyword, and so does one that leads nowhere or in circles.
    """
    followed = ""
    for _ in range(_MAX_HOPS):
        inner, reference = _inner(schema, root)
        if inner is None:
            return schema, followed
        followed = reference or followed
        rest = {
            name: each
            for name, each in schema.items()
            if name != ("$ref" if reference else "allOf")
        }
        schema = {**inner, **rest}
    return schema, followed


def _inner(schema: Schema, root: Plain) -> tuple[Schema | None, str]:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = _pointed(reference, root)
        return (None, "") if target is None else (as_schema(target), reference)
    every = schema.get("allOf")
    if isinstance(every, list) and len(every) == 1 and not isinstance(every[0], bool):
        only = as_schema(every[0])
        if not (only.keys() & schema.keys()) - TEXTS:
            return only, ""
    return None, ""


def _pointed(reference: str, root: Plain) -> Plain:
    """What a JSON pointer within this very schema leads to (RFC 6901), or None."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    found = root
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def types_of(schema: Schema) -> frozenset[str]:
    """The types that are admitted; all of them where nothing is said. A number may be an integer."""
    said = schema.get("type")
    named = frozenset(
        each for each in (said if isinstance(said, list) else [said]) if isinstance(each, str)
    )
    if not named:
        return TYPES
    return named | {"integer"} if "number" in named else named


def values_of(schema: Schema) -> Mapping[str, Plain] | None:
    """The only values that are admitted (`enum`, `const`), by their text; None where any is."""
    if "const" in schema:
        listed: Plain = [schema["const"]]
    else:
        listed = schema.get("enum")
    if not isinstance(listed, list):
        return None
    return {encode(each).decode(): each for each in listed}
