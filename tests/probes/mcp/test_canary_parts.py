"""The pure parts of canaries: results, decoding, output schemas and placeholders."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.condition import compile_condition
from lifesign.probes.mcp.checks.decoding import decode
from lifesign.probes.mcp.checks.outcome import Expected, Timing, judge_result, read_result
from lifesign.probes.mcp.checks.output_schema import find_violation
from lifesign.probes.mcp.checks.placeholders import filled, names_in
from lifesign.testing.everything import pdf, png

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TIMING = Timing(12.0, 3.0)


def holds(result: object, text: str) -> bool:
    read = read_result(json.dumps(result).encode(), TIMING)
    return compile_condition(text).hold(read.seen, NOW).holds


def block(data: bytes, mime: str, kind: str = "image") -> dict[str, Any]:
    return {"type": kind, "data": base64.b64encode(data).decode(), "mimeType": mime}


TEXTS = {"content": [{"type": "text", "text": '{"a": [1, 2]}'}, {"type": "text", "text": "two"}]}


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (TEXTS, "is_error == false"),
        (TEXTS, 'text ends with "two"'),
        (TEXTS, 'json("$.a.length()") == 2'),
        (TEXTS, "content.count == 2"),
        (TEXTS, "content.type == text"),
        (TEXTS, "content.bytes == 13"),
        (TEXTS, "not exists(content.decodes)"),
        (TEXTS, "duration_ms == 12"),
        (TEXTS, "ttfb_ms < 4ms"),
        (TEXTS, "meta.degraded == false"),
        (TEXTS | {"structuredContent": {"a": 5}}, 'json("$.a") == 5'),
        (TEXTS | {"_meta": {"degraded": "cache"}}, "meta.degraded == cache"),
        (TEXTS | {"_meta": {"example.com/degraded": True}}, "meta.degraded == true"),
        (TEXTS | {"isError": True}, "is_error == true"),
        ({"content": []}, "content.count == 0"),
        ({"content": []}, 'not exists(json("$"))'),
        ({"content": [{"type": "text", "text": "no json"}]}, 'not exists(json("$"))'),
        ({"structuredContent": [1]}, 'json("$[0]") == 1'),
        ({"content": [block(png(), "image/png")]}, "content.decodes == true"),
        ({"content": [block(png(), "image/jpeg")]}, "content.decodes == false"),
        ({"content": [{"type": "image", "data": 7}]}, "content.decodes == false"),
        ({"content": [{"type": "resource", "resource": {"text": "é"}}]}, "content.bytes == 2"),
        ({"content": [{"type": "resource", "resource": 1}]}, "content.type == resource"),
        ({"content": [{}]}, "not exists(content.type)"),
    ],
)  # fmt: skip
def test_what_conditions_may_ask_of_a_result(result: object, text: str) -> None:
    assert holds(result, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "type", "text", "data", "resource", "blob", "mimeType", "_meta", "isError"])
            | st.text(max_size=3),
            inner, max_size=4,
        ),
    ).map(lambda document: json.dumps(document).encode()) | st.binary(max_size=40)
)  # fmt: skip
def test_any_result_is_read_and_judged_without_an_error(raw: bytes) -> None:
    read = read_result(raw, TIMING)
    conditions = tuple(
        map(compile_condition, ("text == a", "content.bytes > 1", 'json("$.a") < 1'))
    )

    assert judge_result(read, Expected(conditions), NOW)


def test_a_result_of_a_thousand_levels_is_a_fault_and_no_crash() -> None:
    raw = b'{"content": [], "structuredContent": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    assert "RecursionError" in read_result(raw, TIMING).fault


WAV = b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + bytes(28)
WEBP = b"RIFF" + (12).to_bytes(4, "little") + b"WEBPVP8 " + bytes(4)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><path/></svg>\n'


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (png(), "image/png"),
        (png(), "IMAGE/PNG; a=b"),
        (b"\xff\xd8\xff\xe0" + bytes(20) + b"\xff\xd9", "image/jpeg"),
        (b"GIF89a" + bytes(20) + b";", "image/gif"),
        (WEBP, "image/webp"),
        (SVG, "image/svg+xml"),
        (pdf(), "application/pdf"),
        (WAV, "audio/wav"),
        (WAV[:4] + b"\xff\xff\xff\xff" + WAV[8:20], "audio/x-wav"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mp3"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"\xff\xf1", "audio/aac"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x20ftypavif", "image/avif"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"BM", "image/bmp"),
        (b"II*\0", "image/tiff"),
        (b"\0\0\x01\0", "image/vnd.microsoft.icon"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
        (b"{}", "application/json"),
        (b"{}", "application/health+json"),
        (b"a,b", "text/csv"),
        (b"?", "application/x-unknown"),
    ],
)
def test_bytes_are_held_against_their_media_type(content: bytes, mime: str) -> None:
    whole = decode(base64.b64encode(content).decode(), mime)

    assert (len(content), True) == (whole.size, whole.is_sound)
    if "unknown" not in mime:
        other = b"\x80" * 1100 + content  # a PDF may begin a little later
        assert not decode(base64.b64encode(other).decode(), mime).is_sound


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (png()[:-8], "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (WEBP[:-1], "image/webp"),
        (WAV[:-1], "audio/wav"),
        (SVG[:-10], "image/svg+xml"),
        (pdf()[:-8], "application/pdf"),
        (b"", "text/plain"),
    ],
)
def test_half_a_picture_does_not_decode(content: bytes, mime: str) -> None:
    assert not decode(base64.b64encode(content).decode(), mime).is_sound


@pytest.mark.parametrize("text", ["no base64!", "aGk", None, 7, "é"])
def test_what_is_no_base64_does_not_decode(text: object) -> None:
    assert (decode(text, "text/plain").size, decode(text, "text/plain").is_sound) == (0, False)


OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("schema", "value", "violation"),
    [
        (OBJECT, {"n": 1}, ""),
        (OBJECT, {"n": "1"}, '`$.n` breaks `type: "integer"`'),
        (OBJECT, {}, '`$` breaks `required: ["n"]`'),
        (OBJECT | {"$schema": "http://json-schema.org/draft-07/schema#"}, {}, '`$` breaks `required: ["n"]`'),
        (OBJECT | {"$schema": "https://example.org/mine"}, {"n": 1}, ""),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"b": 1}, "`$` breaks `additionalProperties: false`"),
        ({"additionalProperties": {"type": "string"}}, {"b": 1}, '`$.b` breaks `type: "string"`'),
        ({"additionalProperties": False, "patternProperties": {"^x": {"type": "null"}}}, {"xy": None}, ""),
        ({"patternProperties": {"^x": {"type": "null"}}}, {"xy": 1}, '`$.xy` breaks `type: "null"`'),
        ({"properties": {"a": {"pattern": "^b+$"}}}, {"a": "bb"}, ""),
        ({"properties": {"a": {"pattern": "^b+$"}}}, {"a": "c"}, '`$.a` breaks `pattern: "^b+$"`'),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, {"a": "c"}, ""),
        ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}], "`$` breaks `uniqueItems: true`"),
        ({"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}, "x", '`$` breaks `type: "integer"`'),
        ({"$dynamicRef": "#a", "$defs": {"x": {"$dynamicAnchor": "a", "type": "integer"}}}, 1, ""),
        ({"type": "nonsense"}, 1, ""),
        ({"type": 7}, 1, ""),
        ({"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema", "pattern": "(a+)+$"}}}, {"a": "b"}, ""),
        ({"multipleOf": 0.1}, 10**400, ""),
    ],
)  # fmt: skip
def test_results_are_held_against_their_output_schema(
    schema: dict[str, Any], value: object, violation: str
) -> None:
    assert violation == find_violation(schema, value)


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


EXPLOSION = {"$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}}, "$ref": "#/$defs/d0"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#"}, {}),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, {}),
        ({"$ref": "file:///etc/passwd"}, {}),
        (_deep(900), {"a": {}}),
        (EXPLOSION, {}),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 50_000 + "!"}),
        ({"patternProperties": {"^(a+)+$": False}}, {"a" * 50_000 + "!": 1}),
        ({"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}}, {"a" * 50_000 + "!": 1}),
        ({"unevaluatedProperties": False, "allOf": [{"patternProperties": {"^(a+)+$": {}}}]}, {"a" * 5000 + "!": 1}),
        ({"uniqueItems": True}, [{"n": n} for n in range(50_000)]),
        ({"items": {"anyOf": [{"type": "null"}] * 50}}, list(range(50_000))),
        ({"enum": ["x" * 100_000]}, 1),
    ],
)  # fmt: skip
def test_a_hostile_schema_costs_little_and_reaches_nothing(
    schema: dict[str, Any], value: object
) -> None:
    started = time.perf_counter()

    find_violation(schema, value)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${id}", 7),
        ("no. ${id}", "no. 7"),
        ("${list}", [1]),
        ("a${list}b", "a[1]b"),
        ("$${id}", "${id}"),
        ("$$${id}", "$${id}"),
        ({"a": ["${id}", {"b": "${name}"}], "c": 1}, {"a": [7, {"b": "x"}], "c": 1}),
        ("${9}", "${9}"),
        (None, None),
    ],
)
def test_placeholders_are_filled(value: object, expected: object) -> None:
    assert expected == filled(value, {"id": 7, "name": "x", "list": [1]})


def test_the_names_of_placeholders_are_found() -> None:
    assert list(names_in({"x": "${a} $${no}", "y": ["${b}", 1]})) == ["a", "b"]
    with pytest.raises(KeyError):
        filled("${a}", {})
