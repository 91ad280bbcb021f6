"""Mirrored arguments: what goes into headers, and which annotations make a tool unusable; the SDK is the oracle."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import (
    decode_header_value,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)

from lifesign.probes.mcp.client.mirrors import header_value, mirrored, read_mirrors
from lifesign.probes.mcp.client.wire import Fault

SOUND = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "loud": {"type": "boolean", "x-mcp-header": "Loud"},
        "where": {
            "type": "object",
            "properties": {"city": {"type": "string", "x-mcp-header": "City"}},
        },
        "query": {"type": "string", "default": {"x-mcp-header": "is data here"}},
    },
}

ONE = {"type": "string", "x-mcp-header": "One"}


def of(**properties):
    return {"type": "object", "properties": properties}


def test_annotated_arguments_are_mirrored_and_no_others():
    mirrors = read_mirrors(SOUND)
    assert not isinstance(mirrors, Fault)
    arguments = {
        "region": "Köln",
        "count": 42,
        "loud": False,
        "where": {"city": " Bonn"},
        "query": "SELECT 1",
    }

    headers = dict(mirrored(mirrors, arguments))

    assert headers == mcp_param_headers(x_mcp_header_map(SOUND), arguments)
    assert headers["Mcp-Param-Count"] == "42"
    assert headers["Mcp-Param-Loud"] == "false"
    assert headers["Mcp-Param-Region"] == "=?base64?S8O2bG4=?="


@pytest.mark.parametrize(
    "arguments", [{}, {"region": None}, {"region": ["a"]}, {"where": "not an object"}]
)
def test_what_is_absent_is_left_out(arguments):
    mirrors = read_mirrors(SOUND)
    assert not isinstance(mirrors, Fault)

    assert mirrored(mirrors, arguments) == ()


@pytest.mark.parametrize(
    "schema",
    [
        of(a={"type": "string", "x-mcp-header": ""}),
        of(a={"type": "string", "x-mcp-header": "My Region"}),
        of(a={"type": "string", "x-mcp-header": "Région"}),
        of(a={"type": "string", "x-mcp-header": "Region\t1"}),
        of(a={"type": "string", "x-mcp-header": 7}),
        of(a={"type": "number", "x-mcp-header": "A"}),
        of(a={"type": "null", "x-mcp-header": "A"}),
        of(a={"type": ["string", "null"], "x-mcp-header": "A"}),
        of(a={"x-mcp-header": "A"}),
        of(a=ONE, b=ONE),
        of(a=ONE, b=ONE | {"x-mcp-header": "oNE"}),
        of(a={"type": "array", "items": ONE}),
        of(a={"anyOf": [ONE]}),
        {"$defs": {"a": ONE}},
        ONE,
    ],
    ids=json.dumps,
)
def test_a_broken_annotation_is_a_fault(schema):
    assert find_invalid_x_mcp_header(schema)

    assert isinstance(read_mirrors(schema), Fault)


@pytest.mark.parametrize("schema", [SOUND, {}, None, True, of(a=ONE), {"examples": [ONE]}])
def test_a_sound_schema_is_none(schema):
    assert find_invalid_x_mcp_header(schema) is None

    assert not isinstance(read_mirrors(schema), Fault)


@given(st.text() | st.from_regex(r"=\?base64\?[\w=]*\?=", fullmatch=True))
def test_a_header_value_comes_back_whole(text):
    value = header_value(text)

    assert value == encode_header_value(text)
    assert decode_header_value(value) == text
    assert value.isascii()
    assert value.isprintable()
