"""JSON-RPC 2.0 as MCP speaks it: the requests a probe sends, and whether an answer is an answer.

Pure: bytes in, a `Result`, an `RPCError` or a `Fault` out. Which layer and reason an error stands for
follows the JSON-RPC 2.0 specification, section 5.1 (https://www.jsonrpc.org/specification).
"""

from dataclasses import dataclass
from typing import Any

import msgspec

LATEST_ASKED = "2025-11-25"
"""The newest revision that has an `initialize`; what a probe asks for."""

PUBLISHED = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
"""Every published revision (https://modelcontextprotocol.io/specification/versioning), oldest first."""

INITIALIZE_ID = 1
FIRST_LIST_ID = 2

_ERROR_CODES = {
    -32700: "parse_error_32700",
    -32600: "invalid_request_32600",
    -32601: "method_not_found_32601",
    -32602: "invalid_params_32602",
    -32603: "internal_32603",
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
        """The error as a failure code: `internal_32603`, or `error_32000` for one without a fixed meaning."""
        return _ERROR_CODES.get(self.number) or f"error_{abs(self.number)}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Not a usable envelope: a code of the jsonrpc layer and what is wrong, as the end of a sentence."""

    code: str
    what: str


Reply = Result | RPCError | Fault


class _Envelope(msgspec.Struct):
    """A message as it comes. Values that are not needed yet stay unparsed."""

    jsonrpc: Any = None
    id: Any = None
    method: Any = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Any = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Envelope)
_encode = msgspec.json.encode


def initialize_request(version: str, probe_version: str) -> bytes:
    """The body of `initialize`: no capabilities, so that the server asks nothing back."""
    return _request(
        INITIALIZE_ID,
        "initialize",
        {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "lifesign-probe", "version": probe_version},
        },
    )


def list_request(request_id: int, cursor: str | None = None) -> bytes:
    """The body of `tools/list`, for the page that `cursor` names."""
    return _request(request_id, "tools/list", {"cursor": cursor} if cursor is not None else {})


def _request(request_id: int, method: str, params: dict[str, Any]) -> bytes:
    return _encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


INITIALIZED = _encode({"jsonrpc": "2.0", "method": "notifications/initialized"})
FIRST_LIST = list_request(FIRST_LIST_ID)


def read_reply(body: bytes, request_id: int) -> Reply:
    """Check the one message of a JSON body against the request it should answer."""
    envelope = _open(body)
    return envelope if isinstance(envelope, Fault) else _judge(envelope, request_id)


def read_event(data: bytes, request_id: int) -> Reply | None:
    """Check one event of a stream; None for what is not meant for us (requests and notifications)."""
    envelope = _open(data)
    if isinstance(envelope, Fault):
        return envelope
    return None if envelope.method is not None else _judge(envelope, request_id)


def _open(body: bytes) -> _Envelope | Fault:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        return Fault("not_jsonrpc", f"is JSON, but {_shape(body)} instead of one JSON-RPC message")
    except msgspec.DecodeError as error:
        if "truncated" in str(error) and body.lstrip()[:1] in (b"{", b"["):
            return Fault("truncated", f"is JSON that breaks off after {len(body)} bytes")
        return Fault("not_json", "is not JSON")
    except (UnicodeDecodeError, RecursionError) as error:
        return Fault("not_json", f"cannot be read as JSON ({type(error).__name__})")


def _shape(body: bytes) -> str:
    return {b"[": "an array", b'"': "a string", b"{": "an odd object"}.get(
        body.lstrip()[:1], "a bare value"
    )


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
