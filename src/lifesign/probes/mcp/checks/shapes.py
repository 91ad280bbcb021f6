"""Whether the tools of a list are what the MCP schema and real clients demand. Pure.

Every rule here is one that some client enforces: one tool whose `inputSchema` is not of type object makes several
drop all tools of the server.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import jsonschema_rs
import msgspec

from lifesign.core.model import Finding, Level
from lifesign.probes.mcp.client.greeting import UNREADABLE, opened
from lifesign.probes.mcp.client.mirrors import ANNOTATION, read_mirrors
from lifesign.probes.mcp.client.wire import Fault
from lifesign.probes.mcp.sheet import found

MAX_NAMED = 3
"""How many tools a finding names before it only counts."""
MAX_TOOLS = 5000
MAX_CHECKED = 2000
"""How many different schemas are held against JSON Schema itself."""
MAX_DEPTH = 100
"""How deep a schema may be nested; recursive validators of clients give up far earlier than at a thousand."""

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
"""MCP 2025-11-25, server/tools, tool names."""

_DIALECTS = frozenset(
    {
        "http://json-schema.org/draft-04/schema",
        "http://json-schema.org/draft-06/schema",
        "http://json-schema.org/draft-07/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    }
)

Tool = dict[str, Any]


class _Page(msgspec.Struct):
    tools: list[Tool]


_page_decoder = msgspec.json.Decoder(_Page)


@dataclass(slots=True)
class ToolList:
    """All tools of a list in their order, and what is wrong with single ones: (code, tool name, what)."""

    tools: list[Tool] = field(default_factory=list)
    flaws: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Their names, in the order of the list."""
        return [tool["name"] for tool in self.tools]


def read_tools(pages: Sequence[bytes]) -> ToolList | Fault:
    """Read the pages of `tools/list`; a fault (code `malformed`) is told where no tools can be made out."""
    listed = ToolList()
    for page in pages:
        try:
            tools: list[Any] = list(_page_decoder.decode(page).tools)
        except UNREADABLE:
            result = opened(page)
            if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
                return Fault("malformed", "has no `tools` array")
            tools = result["tools"]
        for number, tool in enumerate(tools, start=1):
            name = tool.get("name") if isinstance(tool, dict) else None
            if not isinstance(name, str) or not name:
                return Fault("malformed", f"has no `name` in tool {number} of {len(tools)}")
            listed.tools.append(tool)
    return listed


def find_flaws(listed: ToolList, *, is_cut: bool = False) -> tuple[Finding, ...]:
    """What is worth saying of a whole list that was read without a fault."""
    findings: list[Finding] = []
    if not listed.tools:
        message = "The server advertises tools but lists none."
        findings.append(found(Level.WARN, "tools_list", "empty_but_advertised", message))
    count = len(listed.tools)
    if is_cut or count > MAX_TOOLS:
        message = (
            f"The tool list goes on after {count} tools; clients do not read it all."
            if is_cut
            else f"The tool list has {count} tools; clients do not read so many."
        )
        findings.append(found(Level.WARN, "tools_list", "truncated", message))
    flaws = {code: list(group) for code, group in _flaws_by_code(listed).items()}
    findings += [_told(code, group, len(listed.tools)) for code, group in flaws.items()]
    counted = Counter(listed.names)
    if repeated := [name for name, count in counted.items() if count > 1]:
        message = f"Tool names come more than once: {named(repeated)}."
        findings.append(found(Level.WARN, "shape", "duplicate_names", message))
    return tuple(findings)


_WORDS: Mapping[str, str] = {
    "schema_invalid": "The `inputSchema` or description of {n} of {all} tools is not sound: {named} ({what}).",
    "output_schema_invalid": "The `outputSchema` of {n} of {all} tools is not valid: {named} ({what}).",
    "remote_ref": "The schemas of {n} of {all} tools point to other addresses, which no client may fetch: {named} ({what}).",
    "header_annotation_invalid": "Clients leave {n} of {all} tools out: {named} ({what}).",
    "name_invalid": "The names of {n} of {all} tools are refused by some clients: {named}.",
}
_LEVELS = {"name_invalid": Level.INFO}


def _told(code: str, flaws: list[tuple[str, str]], count: int) -> Finding:
    names = [name for name, _ in flaws]
    words = _WORDS[code].format(n=len(names), all=count, named=named(names), what=flaws[0][1])
    return found(_LEVELS.get(code, Level.WARN), "shape", code, words)


def _flaws_by_code(listed: ToolList) -> dict[str, list[tuple[str, str]]]:
    grouped: dict[str, list[tuple[str, str]]] = {}
    checked: dict[bytes, str] = {}
    for tool in listed.tools:
        for code, what in _flaws_of(tool, checked):
            grouped.setdefault(code, []).append((tool["name"], what))
    return grouped


def _flaws_of(tool: Tool, checked: dict[bytes, str]) -> Iterator[tuple[str, str]]:
    if not _NAME.fullmatch(tool["name"]):
        yield "name_invalid", ""
    if not isinstance(tool.get("description"), str | None):
        yield "schema_invalid", "the description is no text"
    elif what := _schema_flaw(tool.get("inputSchema"), checked, must_be_object=True):
        yield "schema_invalid", what
    elif isinstance(fault := _mirror_fault(tool["inputSchema"]), Fault):
        yield "header_annotation_invalid", fault.what
    output = tool.get("outputSchema")
    if output is not None and (what := _schema_flaw(output, checked)):
        yield "output_schema_invalid", what
    remote = next(_remote_refs([tool.get("inputSchema"), output]), None)
    if remote is not None:
        yield "remote_ref", remote[:100]


def _mirror_fault(schema: Tool) -> Fault | None:
    """Whether an annotation for headers breaks its rules. Nearly no schema has one, and its text shows that at once."""
    if ANNOTATION.encode() not in msgspec.json.encode(schema):
        return None
    found = read_mirrors(schema)
    return found if isinstance(found, Fault) else None


def _schema_flaw(schema: object, checked: dict[bytes, str], *, must_be_object: bool = False) -> str:
    """What is wrong with a schema; empty for one that is sound. `checked` remembers those of this list, by content."""
    if not isinstance(schema, dict):
        return "missing" if schema is None else "no object"
    if must_be_object and schema.get("type") != "object":
        return "its type is not object"
    if is_too_deep(schema):
        return f"nested more than {MAX_DEPTH} levels"
    text = msgspec.json.encode(schema)
    if text not in checked and len(checked) < MAX_CHECKED:
        checked[text] = _metaschema_flaw(schema)
    return checked.get(text, "")


def _metaschema_flaw(schema: Tool) -> str:
    """What JSON Schema itself says of a schema. A dialect that is not a published one is never fetched."""
    if str(schema.get("$schema", "")).rstrip("#") not in _DIALECTS:
        schema = {key: value for key, value in schema.items() if key != "$schema"}
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        place = ".".join(map(str, error.instance_path)) or "the schema"
        return f"{place}: {error.message[:120]}"
    except ValueError as error:
        return str(error)[:120]
    return ""


def is_too_deep(value: object, limit: int = MAX_DEPTH) -> bool:
    """Whether JSON is nested deeper than `limit`; looked at without recursion."""
    level: list[object] = [value]
    for _ in range(limit):
        level = [below for each in level for below in _children(each)]
        if not level:
            return False
    return True


def _children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return [each for each in value.values() if isinstance(each, dict | list)]
    if isinstance(value, list):
        return [each for each in value if isinstance(each, dict | list)]
    return ()


def _remote_refs(schemas: list[object]) -> Iterator[str]:
    """Every `$ref` that leads out of its own document; looked at without recursion."""
    waiting = list(schemas)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            ref = value.get("$ref")
            if isinstance(ref, str) and not ref.startswith("#"):
                yield ref
            waiting += _children(value)
        elif isinstance(value, list):
            waiting += cast("list[object]", _children(value))


def named(names: Sequence[str]) -> str:
    """Some names for a message, the rest counted."""
    shown = ", ".join(f"`{name[:60]}`" for name in names[:MAX_NAMED])
    return f"{shown} and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else shown
