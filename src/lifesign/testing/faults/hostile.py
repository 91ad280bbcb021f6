"""Servers that mean harm: everything is larger, longer or slower than any client should bear."""

import json
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import chain, repeat
from typing import Any

from lifesign.testing.answers import JSON, STREAM, Answer, Call, Part, altered, as_json, events
from lifesign.testing.everything import ECHO
from lifesign.testing.faults.fault import Fault, fault

BOMB_BYTES = 64 * 1024 * 1024
"""What the bomb grows to; it is a thousandth of this on the wire."""

LARGE_LIST = 5 * 1024 * 1024
MANY_TOOLS = 10_000
SCHEMA_LEVELS = 1_000


class _Flood:
    """The beginning, and then the same again and again; it begins anew for every answer."""

    def __init__(self, first: bytes, again: Part, *more: Part) -> None:
        self._first, self._again = first, (again, *more)

    def __iter__(self) -> Iterator[Part]:
        return chain([self._first], chain.from_iterable(repeat(self._again)))


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1024 * 1024)
    packed = b"".join(packer.compress(block) for _ in range(BOMB_BYTES // len(block)))
    return packed + packer.flush()


def _explodes(_: Call) -> Answer:
    return Answer(headers={"Content-Type": JSON, "Content-Encoding": "gzip"}, body=_bomb())


def _tools(count: int, padding: int) -> tuple[dict[str, Any], ...]:
    words = "x" * padding
    return tuple({**ECHO, "name": f"tool_{n}", "description": words} for n in range(count))


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"deeper": schema}}
    return schema


def _pages(call: Call) -> Answer:
    params = call.json.get("params") or {}
    place = len(params.get("cursor") or "")
    tools = _tools(100, 10)
    page = {"tools": [tool | {"name": f"{tool['name']}_{place}"} for tool in tools]}
    body = {"jsonrpc": "2.0", "id": call.json.get("id"), "result": page | {"nextCursor": "x" * (place + 1)}}  # fmt: skip
    return as_json(body)


def _both(call: Call) -> Answer:
    message = call.faithful().message
    wrong = {"code": -32603, "message": "And yet it failed"}
    return as_json(message | {"error": wrong}) if "result" in message else call.faithful()


def _first_id(call: Call) -> Answer:
    """The id of an earlier request: each reply after the first claims to be the first's."""
    message = call.faithful().message
    return as_json(message | {"id": 1}) if "id" in message else call.faithful()


def _deep_list(call: Call) -> Answer:
    """Written by hand: the standard library's encoder stops at fewer levels than some readers do."""
    opening = b'{"type":"object","properties":{"deeper":' * SCHEMA_LEVELS
    schema = opening + b'{"type":"object"}' + b"}}" * SCHEMA_LEVELS
    head = json.dumps({"jsonrpc": "2.0", "id": call.json.get("id")})[:-1].encode()
    body = head + b',"result":{"tools":[{"name":"deep","inputSchema":' + schema + b"}]}}"
    return Answer(headers={"Content-Type": JSON}, body=body)


def _recursive(result: dict[str, Any]) -> object:
    loop = {"type": "object", "properties": {"again": {"$ref": "#"}}}
    return result | {"tools": [{**ECHO, "inputSchema": loop}]}


def _interim(_: Call) -> Answer:
    return Answer(raw=_Flood(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"))


_STREAMED = {"Content-Type": STREAM}
_JSON = {"Content-Type": JSON}

HOSTILE: tuple[Fault, ...] = (
    fault("hostile/endless_body", "sends a JSON body that never ends.", every=Answer(headers=_JSON, chunks=_Flood(b'{"x":"', b"x" * 65_536))),
    fault("hostile/byte_a_second", "sends its body a byte a second.", every=Answer(headers=_JSON, chunks=_Flood(b"{", b" ", 1.0))),
    fault("hostile/byte_a_second_events", "sends events a byte a second.", every=Answer(headers=_STREAMED, chunks=_Flood(b"data: ", b"x", 1.0))),
    fault("hostile/endless_comments", "sends comments on an event stream for ever.", every=events(then="comments")),
    fault("hostile/endless_event", "sends one event that never ends.", every=Answer(headers=_STREAMED, chunks=_Flood(b"data: ", b"x" * 65_536))),
    fault("hostile/silent_stream", "opens an event stream and says nothing.", every=events(then="hang")),
    fault("hostile/gzip_bomb", "packs 64 MB into 64 kB.", every=_explodes),
    fault("hostile/large_list", "has a tool list of 5 MB on one page.", tools=_tools(50, LARGE_LIST // 50), page_size=50),
    fault("hostile/many_tools", "lists 10,000 tools on one page.", tools=_tools(MANY_TOOLS, 10), page_size=MANY_TOOLS),
    fault("hostile/endless_pages", "has pages of 100 tools without end; their cursors grow.", tools_list=_pages),
    fault("hostile/deep_schema", "has a schema of 1,000 levels.", tools_list=_deep_list),
    fault("hostile/recursive_schema", "has a schema that refers to itself.", tools_list=altered(_recursive)),
    fault("hostile/result_and_error", "answers with both a result and an error.", every=_both),
    fault("hostile/id_reuse", "answers every request with the id 1.", every=_first_id),
    fault("hostile/interim_flood", "sends interim answers (103) for ever.", every=_interim),
    fault("hostile/reset_after_head", "sends the head of an answer and resets the connection.", every=Answer(headers=_JSON | {"Content-Length": "500"}, body=b"", then="reset")),
    fault("hostile/unreadable_redirect", "redirects to what is no address.", every=Answer(307, {"Location": "http://[::1"})),
    fault("hostile/huge_header", "has one header of a megabyte.", every=Answer(headers={"X-Large": "x" * 1_000_000})),
)  # fmt: skip
