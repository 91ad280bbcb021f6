"""Envelopes and shapes: every wrong answer has its own code, and no bytes raise."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign import __version__
from lifesign.core.model import Level
from lifesign.probes.mcp.checks.shapes import (
    MAX_DEPTH,
    MAX_TOOLS,
    ToolList,
    find_flaws,
    is_too_deep,
    read_tools,
)
from lifesign.probes.mcp.client.greeting import Greeting, read_discovery, read_greeting
from lifesign.probes.mcp.client.wire import (
    Fault,
    Notice,
    Result,
    RPCError,
    initialize_params,
    modern_body,
    read_event,
    read_reply,
    request_body,
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
        (b"[" * 100_000, "batch"),
        (b"[]", "batch"),
        (b'{"id":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
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
    assert reply.code == "error"


def test_a_stream_may_carry_what_is_not_for_us():
    note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
    assert read_event(note, 1) == Notice("notifications/message", note)
    assert isinstance(read_event(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', 1), Notice)
    assert read_event(envelope(), 1) == Result(b"{}")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(body):
    read_reply(body, 1)
    read_event(body, 1)
    read_greeting(body)
    read_discovery(body)
    read_tools([body])


@given(json_values)
def test_no_json_breaks_the_readers(value):
    read_greeting(encode(value))
    read_discovery(encode(value))
    read_tools([encode({"tools": value})])
    listed = read_tools([encode({"tools": [TOOL | {"inputSchema": value}, TOOL]})])
    assert not isinstance(listed, Fault)
    find_flaws(listed)


def test_requests_are_json_rpc():
    body = msgspec.json.decode(request_body(1, "initialize", initialize_params("2025-11-25")))

    assert (body["jsonrpc"], body["id"], body["method"]) == ("2.0", 1, "initialize")
    assert body["params"] == {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "lifesign-probe", "title": "Lifesign", "version": __version__},
    }


def test_a_stateless_request_says_who_asks_and_how():
    params = {"cursor": "p2", "_meta": {"progressToken": 7}}
    body = msgspec.json.decode(modern_body(3, "tools/list", params, version="2026-07-28"))

    assert body["params"]["cursor"] == "p2"
    assert body["params"]["_meta"] == {
        "progressToken": 7,
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {
            "name": "lifesign-probe",
            "title": "Lifesign",
            "version": __version__,
        },
        "io.modelcontextprotocol/clientCapabilities": {},
    }


def test_a_good_greeting_is_read():
    greeting = read_greeting(encode(GREETING | {"instructions": "Be kind."}))

    assert greeting == Greeting("2025-06-18", "srv", "1.2", INFO, {"tools": {}}, "Be kind.")


@pytest.mark.parametrize("place", ["_meta", "result", "nowhere"])
def test_a_discovery_is_read_with_or_without_a_name(place):
    result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
    if place == "_meta":
        result["_meta"] = {"io.modelcontextprotocol/serverInfo": INFO}
    elif place == "result":
        result["serverInfo"] = INFO

    greeting = read_discovery(encode(result))

    assert isinstance(greeting, Greeting)
    assert greeting.server_name == ("" if place == "nowhere" else "srv")
    assert greeting.supported == ("2026-07-28",)


@pytest.mark.parametrize(
    "result", [[], {}, {"supportedVersions": []}, {"supportedVersions": [1], "capabilities": {}}]
)
def test_a_discovery_without_its_parts_is_malformed(result):
    fault = read_discovery(encode(result))

    assert isinstance(fault, Fault)
    assert fault.code == "malformed"


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


def flaws_of(*tools, **options):
    listed = read_tools([encode({"tools": list(tools)})])
    assert not isinstance(listed, Fault)
    return {finding.code: finding for finding in find_flaws(listed, **options)}


def test_pages_make_one_list():
    listed = read_tools([encode({"tools": [TOOL]}), encode({"tools": [TOOL | {"name": "b"}]})])

    assert not isinstance(listed, Fault)
    assert listed.names == ["a", "b"]


@pytest.mark.parametrize(
    "schema",
    [
        None, {}, [], {"type": "string"}, "object",
        {"type": "object", "properties": {"a": {"type": "strnig"}}},
        {"type": "object", "required": "all"},
    ],
)  # fmt: skip
def test_a_tool_without_a_sound_schema_is_told(schema):
    assert set(flaws_of(TOOL, TOOL | {"name": "b", "inputSchema": schema})) == {"schema_invalid"}


def test_an_old_draft_is_held_against_its_own_rules():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"a": {"type": "array", "items": [{"type": "string"}]}},
    }

    assert flaws_of(TOOL | {"inputSchema": schema}) == {}


def test_an_output_schema_a_remote_reference_and_an_odd_name_have_their_codes():
    remote = {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}}
    found = flaws_of(
        TOOL | {"outputSchema": {"type": 7}},
        TOOL | {"name": "b", "inputSchema": remote},
        TOOL | {"name": "c d"},
    )

    assert set(found) == {"output_schema_invalid", "remote_ref", "name_invalid"}
    assert found["name_invalid"].level is Level.INFO


def test_a_schema_that_goes_too_deep_is_told_without_recursion():
    deep = {"type": "object"}
    for _ in range(900):
        deep = {"type": "object", "properties": {"a": deep}}

    assert is_too_deep(deep)
    assert not is_too_deep({"type": "object"}, MAX_DEPTH)
    listed = ToolList([TOOL | {"inputSchema": deep}])
    assert "levels" in find_flaws(listed)[0].message


@pytest.mark.parametrize(
    "result",
    [{}, {"tools": {}}, {"tools": ["a"]}, {"tools": [{}]}, {"tools": [{"name": ""}]}, None],
)
def test_a_list_that_cannot_be_used_is_malformed(result):
    fault = read_tools([encode(result)])

    assert isinstance(fault, Fault)
    assert fault.code == "malformed"


def test_what_concerns_the_whole_list_is_told():
    assert set(flaws_of(TOOL, TOOL)) == {"duplicate_names"}
    assert set(flaws_of()) == {"empty_but_advertised"}
    assert set(flaws_of(TOOL, is_cut=True)) == {"truncated"}
    assert flaws_of(TOOL) == {}


def test_a_list_that_was_read_whole_does_not_go_on():
    many = [{**TOOL, "name": f"tool-{number}"} for number in range(MAX_TOOLS + 1)]

    assert "goes on after 1 " in flaws_of(TOOL, is_cut=True)["truncated"].message
    assert f"has {MAX_TOOLS + 1} tools" in flaws_of(*many)["truncated"].message
