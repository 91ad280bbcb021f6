"""403 `insufficient_scope` for a call that the caller's token does not reach.

The protocol asks for it (https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization#scope-challenge-handling),
so that a client may come back with a better token. The body is a JSON-RPC error, for those that only show it.
"""

import json
from collections.abc import Mapping
from functools import cache

from starlette.responses import JSONResponse, Response

from lifesign.core.scope import Grant, Scope
from lifesign.mcp.refusals import challenge
from lifesign.mcp.registry import load_tools

_INSUFFICIENT_SCOPE = -32003
"""In the range that JSON-RPC leaves to implementations; the meaning is in the status and the header."""


def step_up(body: bytes, caller: Scope) -> Response | None:
    """The refusal, or None when the message is within reach or not ours to judge."""
    message = _object_in(body)
    grant = _grant_for(message)
    if caller.allows(grant):
        return None
    text = (
        f"This tool needs a token with the grant {grant.value}; {caller.actor} has {caller.grant.value}. "
        f"Ask the operator for one: lifesign token create NAME --grant {grant.value}."
    )
    error = {"code": _INSUFFICIENT_SCOPE, "message": text}
    return JSONResponse(
        {"jsonrpc": "2.0", "id": message.get("id"), "error": error},
        status_code=403,
        headers={
            "WWW-Authenticate": challenge(
                error="insufficient_scope", description=text, scope=f"read {grant.value}"
            )
        },
    )


def _grant_for(message: Mapping[str, object]) -> Grant:
    params = message.get("params")
    if message.get("method") != "tools/call" or not isinstance(params, dict):
        return Grant.READ
    return _grants().get(str(params.get("name")), Grant.READ)


@cache
def _grants() -> Mapping[str, Grant]:
    return {spec.name: spec.grant for spec in load_tools()}


def _object_in(body: bytes) -> Mapping[str, object]:
    """The message, or nothing: what is not one JSON object is for the protocol to refuse."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
