"""JSON-RPC 2.0 as MCP speaks it: the requests a probe sends, and whether an answer is an answer.

Pure: bytes in, a `Result`, an `RPCError` or a `Fault` out. Which layer and reason an error stands for
follows the JSON-RPC 2.0 specification, section 5.1 (https://www.jsonrpc.org/specification).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from lifesign import __version__


class Era(StrEnum):
    """Which of the two protocols a server speaks: with a handshake and sessions, or stateless."""

    LEGACY = "legacy"
    MODERN = "modern"


HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions that begin with `initialize`, oldest first (https://modelcontextprotocol.io/specification/versioning)."""

MODERN_VERSIONS = ("2026-07-28",)
"""The stateless revisions: no handshake, no session, every request says everything about itself."""

PUBLISHED = HANDSHAKE_VERSIONS + MODERN_VERSIONS
LATEST_ASKED = HANDSHAKE_VERSIONS[-1]
"""What the handshake asks for."""

CLIENT_INFO = msgspec.Raw(
    msgspec.json.encode({"name": "lifesign-probe", "title": "Lifesign", "version": __version__})
)
"""Who asks, as JSON."""

HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
"""The codes that MCP reserves since 2026-07-28."""

_ERROR_CODES = {
    -32700: "parse_error_32700",
    -32600: "invalid_request_32600",
    -32601: "method_not_found_32601",
    -32602: "invalid_params_32602",
    -32603: "internal_32603",
    HEADER_MISMATCH: "header_mismatch_32020",
    MISSING_CAPABILITY: "missing_capability_32021",
}


@dataclass(frozen=True, slots=True)
class Result:
    """A good envelope; `raw` is the JSON text of its result."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class RPCError:
    """A good envelope that carries an error. `supported` are the versions the server named, if it did."""

    number: int
    message: str
    supported: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The error as a failure code: `internal_32603`, or `error` for one without a fixed meaning."""
        return _ERROR_CODES.get(self.number, "error")


@dataclass(frozen=True, slots=True)
class Fault:
    """Not a usable envelope: a code of the jsonrpc layer and what is wrong, as the end of a sentence."""

    code: str
    what: str


Reply = Result | RPCError | Fault


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification, or a request of the server's own, that came before the reply."""

    method: str
    raw: bytes


class _Envelope(msgspec.Struct):
    """A message as it comes. Values that are not needed yet stay unparsed."""

    jsonrpc: Any = None
    id: Any = None
    method: Any = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Any = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Envelope)
_encode = msgspec.json.encode


def request_body(request_id: int, method: str, params: Mapping[str, Any]) -> bytes:
    """A request of the handshake era."""
    return _encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def modern_body(request_id: int, method: str, params: Mapping[str, Any], *, version: str) -> bytes:
    """A request of the stateless era, which says in `_meta` who asks, in which version, and what it can do."""
    given = params.get("_meta")
    meta: object = _METAS.get(version) if not given else None
    if meta is None:
        meta = {**(given or {}), **_meta(version)}
    return request_body(request_id, method, {**params, "_meta": meta})


def _meta(version: str) -> dict[str, Any]:
    return {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
        "io.modelcontextprotocol/clientCapabilities": {},
    }


_METAS = MappingProxyType({each: msgspec.Raw(_encode(_meta(each))) for each in MODERN_VERSIONS})
"""What nearly every request says of itself, as JSON."""


def initialize_params(version: str) -> dict[str, Any]:
    """What `initialize` says: no capabilities, so that the server asks nothing back."""
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO}


INITIALIZED = _encode({"jsonrpc": "2.0", "method": "notifications/initialized"})


def read_reply(body: bytes, request_id: int) -> Reply:
    """Check the one message of a JSON body against the request it should answer."""
    envelope = _open(body)
    return envelope if isinstance(envelope, Fault) else _judge(envelope, request_id)


def read_event(data: bytes, request_id: int) -> Reply | Notice:
    """Check one message of a stream, where notifications and requests of the server may come before the reply."""
    envelope = _open(data)
    if isinstance(envelope, Fault):
        return envelope
    if envelope.method is not None:
        return Notice(str(envelope.method)[:100], data)
    return _judge(envelope, request_id)


def _open(body: bytes) -> _Envelope | Fault:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        return _not_one_message(body)
    except msgspec.DecodeError as error:
        if "truncated" in str(error) and body.lstrip()[:1] in (b"{", b"["):
            return Fault("truncated", f"is JSON that breaks off after {len(body)} bytes")
        return Fault("not_json", "is not JSON")
    except RecursionError:
        return Fault("too_deep", "is nested deeper than can be read")
    except UnicodeDecodeError:
        return Fault("not_json", "is not UTF-8")


def _not_one_message(body: bytes) -> Fault:
    start = body.lstrip()[:1]
    if start == b"[":
        return Fault("batch", "is a batch (an array) instead of one message")
    shape = {b'"': "a string", b"{": "an odd object"}.get(start, "a bare value")
    return Fault("not_jsonrpc", f"is JSON, but {shape} instead of one JSON-RPC message")


def _judge(envelope: _Envelope, request_id: int) -> Reply:
    if envelope.jsonrpc != "2.0":
        return Fault("not_jsonrpc", 'is JSON without `"jsonrpc": "2.0"`')
    has_result, has_error = (
        envelope.result is not msgspec.UNSET,
        envelope.error is not msgspec.UNSET,
    )
    if has_result is has_error:
        count = "both `result` and `error`" if has_result else "neither `result` nor `error`"
        return Fault("not_jsonrpc", f"has {count}")
    # A server that could not read the request may answer its error with `id: null` (section 5).
    is_ours = type(envelope.id) is int and envelope.id == request_id
    if not is_ours and not (has_error and envelope.id is None):
        return Fault("id_mismatch", f"has the id {_short(envelope.id)} instead of {request_id}")
    if isinstance(envelope.result, msgspec.Raw):
        return Result(bytes(envelope.result))
    return _read_error(envelope.error)


def _read_error(error: object) -> RPCError | Fault:
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return Fault("not_jsonrpc", "has an `error` without a whole-number `code`")
    details = error.get("data")
    named = details.get("supported") if isinstance(details, dict) else None
    supported = [word for word in named if isinstance(word, str)] if isinstance(named, list) else []
    return RPCError(error["code"], str(error.get("message", ""))[:300], tuple(supported[:20]))


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"
