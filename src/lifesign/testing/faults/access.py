"""Faults of authentication: walls without a door, challenges that lead nowhere, metadata that does not fit."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lifesign.testing.answers import Answer, Call, as_json, error
from lifesign.testing.faults.fault import Fault, fault
from lifesign.testing.gate import Gate

CREDENTIAL = "any bearer token"
METADATA = "that the metadata behind the challenge is read"
CLIENT = "the client credentials grant"


def _document(**changes: object) -> Callable[[Call], Answer]:
    """The faithful metadata with some keys replaced; a key that is given None is left out."""

    def say(call: Call) -> Answer:
        answer = call.faithful()
        kept: dict[str, Any] = answer.message | changes
        kept = {key: value for key, value in kept.items() if value is not None}
        return replace(answer, body=json.dumps(kept).encode())

    return say


def _slashed_issuer(call: Call) -> Answer:
    answer = call.faithful()
    changed = answer.message
    changed["issuer"] = str(changed.get("issuer", "")) + "/"
    return replace(answer, body=json.dumps(changed).encode())


def _forbidden(call: Call) -> Answer:
    """Strangers are asked to sign in, as they should be; whoever did is not let in."""
    if "authorization" not in call.headers:
        return call.faithful()
    return as_json({"error": "forbidden"}, 403)


def _scope_missing(call: Call) -> Answer:
    if "authorization" not in call.headers:
        return call.faithful()
    challenge = 'Bearer error="insufficient_scope", scope="mcp:admin"'
    return as_json({"error": "insufficient_scope"}, 403, **{"WWW-Authenticate": challenge})


def _refuses_oddly(call: Call) -> Answer:
    if "authorization" in call.headers:
        return call.faithful()
    return as_json({"error": "missing api key"}, 400)


ACCESS: tuple[Fault, ...] = (
    fault("auth/required", "asks for a credential properly (401, challenge, metadata): no fault, but a wall.", gate=Gate()),
    fault("auth/bare_401", "answers 401 without a challenge.", every=Answer(401)),
    fault("auth/challenge_invalid", "answers 401 with a challenge that nobody can read.", every=Answer(401, {"WWW-Authenticate": "please log in"})),
    fault("auth/forbidden", "knows the credential and does not let it in (403).", needs=CREDENTIAL, gate=Gate(), every=_forbidden),
    fault("auth/insufficient_scope", "asks for a scope that the credential lacks (403).", needs=CREDENTIAL, gate=Gate(), every=_scope_missing),
    fault("auth/token_rejected", "refuses the credential that is sent (401).", needs=CREDENTIAL, gate=Gate(token="another one")),  # noqa: S106
    fault("auth/jsonrpc_32001", "answers every request with the error −32001.", every=error(-32001, "Unauthorized")),
    fault("auth/refused_oddly", "refuses clients without a credential with 400 instead of 401.", needs="the token `token-4711`", gate=Gate(), every=_refuses_oddly),
    fault("auth/tools_walled", "opens the handshake to all and asks for a credential at every later request.", gate=Gate(guards=frozenset({"tools_list", "tools_call"}))),
    fault("auth/prm_missing", "serves no protected-resource metadata.", needs=METADATA, gate=Gate(), prm=Answer(404)),
    fault("auth/prm_invalid", "serves protected-resource metadata without `resource`.", needs=METADATA, gate=Gate(), prm=_document(resource=None)),
    fault("auth/prm_resource_mismatch", "names another resource in its metadata.", needs=METADATA, gate=Gate(), prm=_document(resource="https://other.example/mcp")),
    fault("auth/as_metadata_missing", "has an authorization server without metadata.", needs=METADATA, gate=Gate(), as_metadata=Answer(404)),
    fault("auth/as_metadata_invalid", "has an authorization server whose metadata lacks its endpoints.", needs=METADATA, gate=Gate(), as_metadata=_document(token_endpoint=None, authorization_endpoint=None)),
    fault("auth/issuer_mismatch", "has an authorization server that names itself with another slash.", needs=METADATA, gate=Gate(), as_metadata=_slashed_issuer),
    fault("auth/no_s256", "has an authorization server without PKCE by S256.", needs=METADATA, gate=Gate(), as_metadata=_document(code_challenge_methods_supported=["plain"])),
    fault("auth/open_to_all", "lets everybody in, with and without a credential.", needs=CREDENTIAL),
    fault("credential/refresh_failed", "has a token endpoint that refuses the client.", needs=CLIENT, gate=Gate(), token=as_json({"error": "invalid_client"}, 401)),
)  # fmt: skip
