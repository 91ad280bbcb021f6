"""Where schemas stand within a JSON Schema, and what of one is structure and what only text.

The keywords are those of draft 2020-12 and, where they differ, of draft 7, which half of all servers still send
(https://json-schema.org/draft/2020-12/json-schema-core, section 10).
"""

from lifesign.core.drift.canonical import Plain, encode

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
