"""Faults of the published lists, and of the tools in them."""

from dataclasses import replace
from typing import Any

from lifesign.testing.answers import Answer, Call, altered, error, merged
from lifesign.testing.everything import ECHO, EVERYTHING
from lifesign.testing.faults.fault import Fault, fault

TWICE = "that the list is read more than once"
_HANG = Answer(is_silent=True)


def _more(call: Call) -> Answer:
    """Another page with a tool of a new name, whatever is asked."""
    tool = dict(ECHO) | {"name": f"tool_{call.nth}"}
    return merged(tools=[tool], nextCursor=f"page-{call.nth}")(_firstly(call))


def _firstly(call: Call) -> Call:
    """The call as if it asked for the first page: the cursors are not the faithful server's."""
    otherwise = call.otherwise
    if otherwise is None:
        return call
    plain = replace(call, body=_without_cursor(call))
    return replace(call, otherwise=lambda _: otherwise(plain))


def _without_cursor(call: Call) -> bytes:
    return call.body.replace(b'"cursor"', b'"_cursor"')


def _looping(call: Call) -> Answer:
    return merged(nextCursor="again")(_firstly(call))


def _shuffled(call: Call) -> Answer:
    def change(result: dict[str, Any]) -> object:
        tools = result["tools"]
        return result | {"tools": tools[::-1] if call.nth % 2 else tools}

    return altered(change)(call)


def _one(**changes: object) -> dict[str, Any]:
    """Good tools, and one that differs in this."""
    return {"tools": (*EVERYTHING.tools, {**ECHO, "name": "odd", **changes})}


LISTS: tuple[Fault, ...] = (
    fault("tools_list/error", "fails at tools/list (−32603).", tools_list=error(-32603, "Internal error")),
    fault("tools_list/hang", "never answers tools/list.", tools_list=_HANG),
    fault("tools_list/malformed", "lists its tools as an object.", tools_list=merged(tools={})),
    fault("tools_list/pagination_loop", "gives the same cursor on every page.", tools_list=_looping),
    fault("tools_list/empty_but_advertised", "declares tools and lists none.", tools=(), capabilities={"tools": {}}),
    fault("tools_list/truncated", "has page after page of tools without end.", tools_list=_more),
    fault("tools_list/unstable_order", "lists its tools in another order each time.", needs=TWICE, tools_list=_shuffled),
    fault("shape/schema_invalid", "has a tool whose inputSchema is not of type object.", **_one(inputSchema={"type": "array"})),
    fault("shape/output_schema_invalid", "has a tool whose outputSchema is no JSON Schema.", **_one(outputSchema={"type": "objekt"})),
    fault(
        "shape/remote_ref", "has a tool whose schema points to another address.",
        **_one(inputSchema={"type": "object", "properties": {"text": {"$ref": "https://schemas.example/text.json"}}}),
    ),
    fault("shape/duplicate_names", "has two tools of one name.", **_one(name="echo")),
    fault("shape/name_invalid", "has a tool with a blank in its name.", **_one(name="odd tool")),
    fault(
        "shape/header_annotation_invalid", "has a tool whose x-mcp-header annotation is no header name.",
        **_one(inputSchema={"type": "object", "properties": {"text": {"type": "string", "x-mcp-header": "not a name"}}}),
    ),
    fault(
        "shape/capability_unanswered", "declares prompts and does not know prompts/list.",
        prompts_list=error(-32601, "Method not found: prompts/list"),
    ),
)  # fmt: skip
