"""Faults of JSON-RPC and of the handshake: what is no message, messages that answer nobody, and greetings that lack something."""

import json
from typing import Any

from lifesign.testing.answers import JSON, Answer, Call, as_json, error, events, merged
from lifesign.testing.faults.fault import Fault, fault
from lifesign.testing.protocol import Era

DEPTH = 100_000
"""No reader goes so deep."""

_HANG = Answer(is_silent=True)


def _json(body: bytes) -> Answer:
    return Answer(headers={"Content-Type": JSON}, body=body)


def _altered_id(call: Call) -> Answer:
    message: dict[str, Any] = call.faithful().message
    return as_json(message | {"id": 999_999}) if "id" in message else call.faithful()


def _in_a_batch(call: Call) -> Answer:
    message = call.faithful().message
    return as_json([message]) if "id" in message else call.faithful()


def _cut_short(call: Call) -> Answer:
    body = call.faithful().body or b""
    return _json(body[: len(body) // 2]) if body else call.faithful()


def _deep(call: Call) -> Answer:
    nested = b"[" * DEPTH + b"]" * DEPTH
    head = json.dumps({"jsonrpc": "2.0", "id": call.json.get("id")})[:-1].encode()
    return _json(head + b', "result": {"deep": ' + nested + b"}}")


def _unanswerable(number: int, words: str, status: int = 200) -> dict[str, Any]:
    return {"every": error(number, words, status=status)}


ENVELOPE: tuple[Fault, ...] = (
    fault("jsonrpc/not_json", "answers with words instead of JSON.", every=_json(b"OK")),
    fault("jsonrpc/not_jsonrpc", "answers with JSON that is no JSON-RPC message.", every=as_json({"ok": True})),
    fault("jsonrpc/batch", "answers one request with a batch.", every=_in_a_batch),
    fault("jsonrpc/id_mismatch", "answers with the id 999999.", every=_altered_id),
    fault("jsonrpc/truncated", "sends half of each reply as a whole body.", every=_cut_short),
    fault("jsonrpc/too_deep", "answers with 100,000 nested arrays.", every=_deep),
    fault("jsonrpc/parse_error_32700", "cannot read requests (−32700).", **_unanswerable(-32700, "Parse error", 400)),
    fault("jsonrpc/invalid_request_32600", "calls requests invalid (−32600).", **_unanswerable(-32600, "Invalid Request", 400)),
    fault("jsonrpc/method_not_found_32601", "knows no method of MCP (−32601).", **_unanswerable(-32601, "Method not found")),
    fault("jsonrpc/invalid_params_32602", "refuses correct parameters (−32602).", **_unanswerable(-32602, "Invalid params")),
    fault("jsonrpc/internal_32603", "fails inside (−32603).", **_unanswerable(-32603, "Internal error")),
    fault("jsonrpc/header_mismatch_32020", "finds that headers and body differ (−32020).", era=Era.MODERN, **_unanswerable(-32020, "Header mismatch", 400)),
    fault("jsonrpc/missing_capability_32021", "demands capabilities of every client (−32021).", era=Era.MODERN, **_unanswerable(-32021, "Missing capability", 400)),
    fault("jsonrpc/error", "answers with an error of its own (−32050).", **_unanswerable(-32050, "The moon is in the wrong house")),
)  # fmt: skip

HANDSHAKE: tuple[Fault, ...] = (
    fault("discover/malformed", "answers server/discover without `capabilities`.", era=Era.MODERN, discover=merged(capabilities=None)),
    fault(
        "discover/unsupported_version", "supports only a revision that is not published.", era=Era.MODERN,
        every=error(-32022, "Unsupported protocol version", status=400, data={"supported": ["2099-01-01"], "requested": "2026-07-28"}),
    ),
    fault("discover/hang", "never answers server/discover, and would answer `initialize`.", era=Era.DUAL, discover=_HANG),
    fault("initialize/missing_protocol_version", "greets without `protocolVersion`.", initialize=merged(protocolVersion=None)),
    fault("initialize/missing_server_info", "greets without `serverInfo`.", initialize=merged(serverInfo=None)),
    fault("initialize/missing_capabilities", "greets without `capabilities`.", initialize=merged(capabilities=None)),
    fault("initialize/unsupported_version", "greets with a revision that was never published.", initialize=merged(protocolVersion="1999-01-01")),
    fault("initialize/hang", "opens a stream in answer to `initialize` and sends only comments on it.", initialize=events(then="comments")),
    fault("initialize/rejected_initialized", "refuses `notifications/initialized` with 400.", initialized=Answer(400)),
)  # fmt: skip
