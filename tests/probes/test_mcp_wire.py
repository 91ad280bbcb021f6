"""Envelopes and shapes: every wrong answer has its own code, and no bytes raise."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.probes.mcp.checks.shapes import (
    Greeting,
    ToolPage,
    find_tool_problems,
    read_greeting,
    read_tools,
)
from lifesign.probes.mcp.client.wire import (
    FIRST_LIST,
    Fault,
    Result,
    RPCError,
    initialize_request,
    list_request,
    read_event,
    read_reply,
)

encode = msgspec.json.encode
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
INFO = {"name": "srv", "version": "1.2"}
GREETING = {"protocolVersion": "2025-06-18", "serverInfo": INFO, "capabilities": {"tools": {}}}
TOOL = {"name": "a", "description": "d", "inputSchema": {"type": "object", "properties": {}}}


def envelope(**changes):
    return encode({"jsonrpc": "2.0", "id": 1, "result": {}} | changes)


@given(json_values)
def test_a_good_envelope_gives_back_its_result(value):
    reply = read_reply(envelope(result=value), 1)

    assert isinstance(reply, Result)
    assert value == msgspec.json.decode(reply.raw)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"hello", "not_json"),
        (b"<html></html>", "not_json"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":', "truncated"),
        (b"\xff\xfe", "not_json"),
        (b'{"a":"\xff"}', "not_jsonrpc"),
        (b"[" * 100_000, "not_jsonrpc"),
        (b"[]", "not_jsonrpc"),
        (b'"ok"', "not_jsonrpc"),
        (b"{}", "not_jsonrpc"),
        (envelope(jsonrpc="1.0"), "not_jsonrpc"),
        (envelope(error={"code": -1, "message": ""}), "not_jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1}', "not_jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1,"error":"no"}', "not_jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":true}}', "not_jsonrpc"),
        (envelope(id=2), "id_mismatch"),
        (envelope(id="1"), "id_mismatch"),
        (envelope(id=True), "id_mismatch"),
        (envelope(id=None), "id_mismatch"),
    ],
)
def test_each_broken_envelope_has_its_code(body, code):
    reply = read_reply(body, 1)

    assert isinstance(reply, Fault)
    assert code == reply.code


def test_an_error_is_read_with_the_versions_it_names():
    error = {"code": -32022, "message": "no", "data": {"supported": ["2025-06-18", 4]}}

    reply = read_reply(encode({"jsonrpc": "2.0", "id": None, "error": error}), 1)

    assert RPCError(-32022, "no", ("2025-06-18",)) == reply
    assert reply.code == "error_32022"


def test_a_stream_may_carry_what_is_not_for_us():
    assert read_event(b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}', 1) is None
    assert read_event(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', 1) is None
    assert read_event(envelope(), 1) == Result(b"{}")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(body):
    read_reply(body, 1)
    read_event(body, 1)
    read_greeting(body)
    read_tools(body)


@given(json_values)
def test_no_json_breaks_the_readers(value):
    read_greeting(encode(value))
    read_tools(encode({"tools": value}))
    read_tools(encode({"tools": [value, TOOL]}))


def test_requests_are_json_rpc():
    body = msgspec.json.decode(initialize_request("2025-11-25", "0.1"))

    assert body["params"] == {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "lifesign-probe", "version": "0.1"},
    }
    assert msgspec.json.decode(FIRST_LIST)["params"] == {}
    assert msgspec.json.decode(list_request(3, "p2"))["params"] == {"cursor": "p2"}


def test_a_good_greeting_is_read():
    assert read_greeting(encode(GREETING)) == Greeting("2025-06-18", "srv", "1.2", ("tools",))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"protocolVersion": None}, "missing_protocol_version"),
        ({"protocolVersion": ""}, "missing_protocol_version"),
        ({"serverInfo": None}, "missing_server_info"),
        ({"serverInfo": {"version": "1"}}, "missing_server_info"),
        ({"serverInfo": {"name": " "}}, "missing_server_info"),
        ({"capabilities": None}, "missing_capabilities"),
        ({"capabilities": []}, "missing_capabilities"),
    ],
)
def test_each_missing_part_of_a_greeting_has_its_code(change, code):
    fault = read_greeting(encode(GREETING | change))

    assert isinstance(fault, Fault)
    assert code == fault.code


def test_a_good_page_is_read():
    assert read_tools(encode({"tools": [TOOL], "nextCursor": "n"})) == ToolPage(("a",), (), "n")
    assert read_tools(encode({"tools": [], "nextCursor": ""})) == ToolPage((), (), None)


@pytest.mark.parametrize("schema", [None, {}, [], {"type": "string"}, "object"])
def test_a_tool_without_object_schema_is_unsound(schema):
    assert read_tools(encode({"tools": [TOOL, TOOL | {"name": "b", "inputSchema": schema}]})) == (
        ToolPage(("a", "b"), ("b",))
    )


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"tools": {}},
        {"tools": ["a"]},
        {"tools": [{}]},
        {"tools": [TOOL], "nextCursor": 7},
        None,
    ],
)
def test_a_list_that_cannot_be_used_is_malformed(result):
    fault = read_tools(encode(result))

    assert isinstance(fault, Fault)
    assert fault.code == "malformed"


def test_problems_of_a_list_are_findings():
    codes = [finding.code for finding in find_tool_problems(["a", "a", "b"], ["b"])]

    assert codes == ["malformed", "duplicate_names"]
    assert [finding.code for finding in find_tool_problems([], [])] == ["empty_but_advertised"]
    assert find_tool_problems(["a"], []) == ()
