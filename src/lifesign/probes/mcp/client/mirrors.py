"""Arguments that a tool wants as HTTP headers too: the annotation `x-mcp-header` of the stateless era. Pure.

A proxy can then route by an argument without reading the body
(https://modelcontextprotocol.io/specification/2026-07-28/basic/transports, custom headers from tool parameters).
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lifesign.probes.mcp.client.wire import Fault

ANNOTATION = "x-mcp-header"
_PREFIX = "Mcp-Param-"
_MIRRORED_TYPES = frozenset({"string", "integer", "boolean"})
"""Numbers are left out by the protocol: no two languages write a fraction alike."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN = re.compile(r"[\x20-\x7E]*")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")

_ONE_SCHEMA = frozenset(
    {
        "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
        "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties"})

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mirror:
    """The argument at `path` goes into `header` as well."""

    path: Path
    header: str


def read_mirrors(schema: object) -> tuple[Mirror, ...] | Fault:
    """The mirrored arguments of an `inputSchema`; a fault when an annotation breaks a rule.

    Clients must leave a tool with such a fault out, and must keep the others. A `$ref` is never followed.
    """
    found: dict[str, Mirror] = {}
    for path, position in _positions(schema):
        if ANNOTATION not in position:
            continue
        fault = _broken_rule(path, position)
        if path is None or fault:
            return Fault("header_annotation_invalid", f"has an `{ANNOTATION}` {fault}")
        mirror = Mirror(path, _PREFIX + str(position[ANNOTATION]))
        if mirror.header.lower() in found:
            what = f"has two arguments for the header {mirror.header}"
            return Fault("header_annotation_invalid", what)
        found[mirror.header.lower()] = mirror
    return tuple(found.values())


def mirrored(
    mirrors: tuple[Mirror, ...], arguments: Mapping[str, object]
) -> tuple[tuple[str, str], ...]:
    """The headers of one call. What is absent, null or no simple value is left out."""
    pairs = ((mirror.header, _written(_at(arguments, mirror.path))) for mirror in mirrors)
    return tuple((header, header_value(text)) for header, text in pairs if text is not None)


def header_value(text: str) -> str:
    """The text as a header carries it: as it is, or wrapped in Base64 where HTTP would not keep it whole."""
    is_safe = _PLAIN.fullmatch(text) and text == text.strip() and not _WRAPPED.fullmatch(text)
    return text if is_safe else f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _broken_rule(path: Path | None, position: Mapping[str, object]) -> str:
    """Which rule the annotation at a place breaks, as the end of a sentence; empty when it is sound."""
    if not path:
        return "at a place that no argument reaches directly"
    header, kind = position[ANNOTATION], position.get("type")
    if not isinstance(header, str) or not _TOKEN.fullmatch(header):
        return f"on `{path[-1][:60]}` that is no header name"
    if not isinstance(kind, str) or kind not in _MIRRORED_TYPES:
        return f"on `{path[-1][:60]}`, which is no string, integer or boolean"
    return ""


def _positions(root: object) -> Iterator[tuple[Path | None, Mapping[str, object]]]:
    """Every schema in a schema, with the names that lead to it, or None where not only `properties` lead there."""
    stack: list[tuple[Path | None, object]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        for keyword, value in node.items():
            if keyword == "properties" and isinstance(value, dict):
                stack += [
                    (None if path is None else (*path, name), at) for name, at in value.items()
                ]
            elif keyword in _ONE_SCHEMA:
                stack.append((None, value))
            elif keyword in _LISTS and isinstance(value, list):
                stack += [(None, at) for at in value]
            elif keyword in _MAPS and isinstance(value, dict):
                stack += [(None, at) for at in value.values()]


def _at(arguments: object, path: Path) -> object:
    for name in path:
        if not isinstance(arguments, Mapping):
            return None
        arguments = arguments.get(name)
    return arguments


def _written(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
