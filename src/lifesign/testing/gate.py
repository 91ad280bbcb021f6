"""Authentication as MCP wants it: a bearer token, its challenge, the metadata behind it, and a token endpoint.

The challenge and the protected-resource metadata follow RFC 9728, the authorization server's metadata RFC 8414, the
token endpoint RFC 6749 §4.4 (client credentials).
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from lifesign.testing.answers import Answer, Call, as_json
from lifesign.testing.protocol import now

OPEN_TOKEN = "token-4711"  # noqa: S105 - a password of a test server, printed at its start
CLIENT_ID = "probe"
CLIENT_SECRET = "probe-secret"  # noqa: S105 - likewise
ISSUER_PATH = "/auth"


@dataclass(frozen=True)
class Gate:
    """Who is let in. Tokens from the token endpoint live for `expires_in` seconds; `token` lives for ever."""

    token: str = OPEN_TOKEN
    expires_in: int = 3600
    scope: str = "mcp:read"
    guards: frozenset[str] = frozenset()

    def is_guarded(self, call: Call) -> bool:
        """Whether a call needs a token: every call to the endpoint, or the steps in `guards` alone."""
        return call.is_endpoint and (not self.guards or call.step in self.guards)

    def lets_in(self, call: Call) -> bool:
        """Whether the call carries a token that is good at this moment."""
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        is_ours = hmac.compare_digest(given.encode(), self.token.encode())
        return is_ours or self._is_minted(given)

    def refusal(self, call: Call, base: str, path: str) -> Answer:
        """401 with a challenge that says where the metadata is."""
        where = f'resource_metadata="{base}/.well-known/oauth-protected-resource{path}"'
        parts = [where, f'scope="{self.scope}"']
        if "authorization" in call.headers:
            parts = ['error="invalid_token"', 'error_description="The token is not known."', *parts]
        wrong = {"error": "invalid_token", "error_description": "Authentication required"}
        return as_json(wrong, 401, **{"WWW-Authenticate": "Bearer " + ", ".join(parts)})

    def resource_metadata(self, base: str, path: str) -> dict[str, Any]:
        """RFC 9728 §2."""
        return {
            "resource": base + path,
            "authorization_servers": [base + ISSUER_PATH],
            "scopes_supported": [self.scope],
            "bearer_methods_supported": ["header"],
        }

    def server_metadata(self, base: str) -> dict[str, Any]:
        """RFC 8414 §2."""
        issuer = base + ISSUER_PATH
        return {
            "issuer": issuer,
            "authorization_endpoint": issuer + "/authorize",
            "token_endpoint": base + "/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "client_id_metadata_document_supported": True,
            "scopes_supported": [self.scope],
        }

    def mint(self, call: Call) -> Answer:
        """The token endpoint: a new token for the right client."""
        form = {key: values[0] for key, values in parse_qs(call.body.decode("latin-1")).items()}
        if form.get("grant_type") != "client_credentials":
            return as_json({"error": "unsupported_grant_type"}, 400)
        if _client(call, form) != (CLIENT_ID, CLIENT_SECRET):
            wrong = {"error": "invalid_client", "error_description": "Unknown client or secret."}
            return as_json(wrong, 401, **{"WWW-Authenticate": 'Basic realm="token"'})
        until = now() + timedelta(seconds=self.expires_in)
        minted = {
            "access_token": f"minted-{until.timestamp():.3f}",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scope,
        }
        return as_json(minted, 200, **{"Cache-Control": "no-store"})

    def _is_minted(self, given: str) -> bool:
        """A minted token carries the instant of its end; nobody needs to keep it."""
        word, _, until = given.partition("-")
        try:
            return word == "minted" and float(until) > now().timestamp()
        except ValueError:
            return False


def _client(call: Call, form: Mapping[str, str]) -> tuple[str, str]:
    """The client's id and secret, from the header or from the form (RFC 6749 §2.3.1)."""
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(given).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
