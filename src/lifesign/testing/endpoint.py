"""The rules of the HTTP endpoint: which era a request belongs to, its headers, its session, how a reply is framed.

Handshake era: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports.
Without a handshake: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lifesign.testing.answers import STREAM, Answer, Call, Part, as_json, event
from lifesign.testing.dialogue import Said
from lifesign.testing.protocol import (
    CAPABILITIES_KEY,
    HANDSHAKE_VERSIONS,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MODERN_VERSION,
    NAMED_BY,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    Era,
)

_LOCAL = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


@dataclass(frozen=True)
class Framing:
    """How replies are framed: as JSON, or as events with these ends of lines, before them a priming event."""

    is_sse: bool = False
    line: str = "\r\n"


def era_of(call: Call, spoken: Era) -> Era:
    """Which rules a request is held to: its header says so on a server of both eras."""
    if spoken is not Era.DUAL:
        return spoken
    version = call.headers.get("mcp-protocol-version", "")
    return Era.MODERN if version and version not in HANDSHAKE_VERSIONS else Era.LEGACY


def refused_at_the_door(call: Call, era: Era, spoken: Era, agreed: str | None) -> Answer | None:
    """The answer to a request that breaks a rule of the transport; None for a good one.

    `agreed` is a revision that this server was told to greet with, whatever it is.
    """
    if (origin := call.headers.get("origin")) and not _LOCAL.fullmatch(origin):
        return _words(403, "Invalid Origin header")
    taken = ("POST",) if era is Era.MODERN else ("POST", "GET", "DELETE")
    if call.method not in taken:
        return Answer(405, {"Allow": ", ".join(taken)})
    if call.method != "POST":
        return None
    problem = _unfit(call) or _unreadable(call)
    return problem or (
        _modern_rules(call) if era is Era.MODERN else _handshake_rules(call, spoken, agreed)
    )


def _unfit(call: Call) -> Answer | None:
    """What the headers of a POST must say: what it carries, and what may come back."""
    if not call.headers.get("content-type", "").startswith("application/json"):
        return _words(415, "Send application/json")
    if not _accepts(call):
        return _words(406, "Accept application/json and text/event-stream")
    return None


def _words(status: int, words: str) -> Answer:
    return Answer(status, {"Content-Type": "text/plain"}, words.encode())


def _accepts(call: Call) -> bool:
    accepted = call.headers.get("accept", "")
    return "*/*" in accepted or ("application/json" in accepted and STREAM in accepted)


def _unreadable(call: Call) -> Answer | None:
    try:
        decoded = json.loads(call.body)
    except (ValueError, RecursionError):
        return _refusal(call, PARSE_ERROR, "Parse error")
    if not isinstance(decoded, dict):
        return _refusal(call, INVALID_REQUEST, "Send one JSON-RPC message")
    return None


def _handshake_rules(call: Call, spoken: Era, agreed: str | None) -> Answer | None:
    version = call.headers.get("mcp-protocol-version", HANDSHAKE_VERSIONS[-1])
    if call.step == "initialize" or version in {*HANDSHAKE_VERSIONS, agreed}:
        return None
    if spoken is Era.DUAL:
        return _unsupported(call, version)
    return _refusal(call, INVALID_REQUEST, f"Bad Request: Unsupported protocol version: {version}")


def _modern_rules(call: Call) -> Answer | None:
    """The ladder of 2026-07-28: `_meta`, then the headers that repeat it, then the version."""
    message, headers = call.json, call.headers
    requested = headers.get("mcp-protocol-version", "")
    if "id" not in message:
        return None
    if message.get("method") == "initialize" and not requested:
        return _unsupported(call, str(_params(message).get("protocolVersion", "")))
    meta = _params(message).get("_meta")
    if not isinstance(meta, Mapping) or VERSION_KEY not in meta or CAPABILITIES_KEY not in meta:
        return _refusal(call, INVALID_PARAMS, "params._meta lacks what every request carries")
    if name := _mismatched(message, meta, headers):
        return _refusal(call, HEADER_MISMATCH, f"The header {name} does not match the body")
    return None if requested == MODERN_VERSION else _unsupported(call, requested)


def _mismatched(
    message: Mapping[str, Any], meta: Mapping[str, Any], headers: Mapping[str, str]
) -> str:
    """The first header that does not repeat the body; empty when all do."""
    if headers.get("mcp-protocol-version") != meta[VERSION_KEY]:
        return "MCP-Protocol-Version"
    if headers.get("mcp-method") != message["method"]:
        return "Mcp-Method"
    key = NAMED_BY.get(str(message["method"]))
    named = _params(message).get(key) if key else None
    is_named = named is None or _decoded(headers.get("mcp-name")) == named
    return "" if is_named else "Mcp-Name"


def _params(message: Mapping[str, Any]) -> Mapping[str, Any]:
    params = message.get("params")
    return params if isinstance(params, Mapping) else {}


def _decoded(value: str | None) -> str | None:
    """A header's value; what ASCII cannot carry comes as `=?base64?…?=`."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _unsupported(call: Call, requested: str) -> Answer:
    data = {"supported": [MODERN_VERSION], "requested": requested}
    return _refusal(call, UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)


def _refusal(call: Call, number: int, words: str, **extra: object) -> Answer:
    wrong = {"code": number, "message": words} | extra
    return as_json({"jsonrpc": "2.0", "id": call.json.get("id"), "error": wrong}, 400)


def framed(said: Said, framing: Framing) -> Answer:
    """The reply as an answer: events where there is something to tell before it or where the server likes them so."""
    if said.message is None:
        return Answer(said.status)
    if said.notices or (framing.is_sse and said.status == 200):
        headers = {"Content-Type": STREAM, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return Answer(headers=headers, chunks=tuple(_stream(said, framing)))
    answer = as_json(said.message, said.status)
    return Answer(answer.status, answer.headers, answer.body, delay=said.seconds)


def _stream(said: Said, framing: Framing) -> Iterator[Part]:
    """A priming event and a comment, then the notices and the reply; the first event is cut in two on the wire."""
    line = framing.line
    yield f"id: 1{line}data: {line}{line}: hello{line}{line}".encode()
    for message in (*said.notices, said.message):
        if said.seconds:
            yield said.seconds
        whole = event(message, line=line)
        yield whole[:40]
        yield whole[40:]
