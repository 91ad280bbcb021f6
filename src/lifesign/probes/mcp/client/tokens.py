"""Tokens of an authorization server: what is asked for (RFC 6749 §4.4, §6; RFC 8707), and what came. Pure."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode

import msgspec

from lifesign.probes.mcp.client.aside import Page
from lifesign.probes.mcp.client.expiry import MAX_TOKEN_CHARS, jwt_expiry, lifetime

MARGIN_S = 60.0
MARGIN_SHARE = 0.2
"""A token is renewed this long before its end, or this part of its life before it if that is shorter."""

AuthMethod = Literal["basic", "post"]

_WORD = re.compile(r"[\x21-\x7e]+")
_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
    }
)
"""The words of RFC 6749 §5.2 and RFC 8707 §2. Any other word could be an echo of the secret that was sent."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and for what. `resource` is the server that the token is for (RFC 8707)."""

    id: str
    secret: str = field(repr=False)
    scope: str = ""
    resource: str = ""
    method: AuthMethod = "basic"


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, until when it is good (None: not known), and what renews it if something came for that."""

    access: str = field(repr=False)
    got_at: datetime
    expires_at: datetime | None = None
    refresh: str = field(default="", repr=False)

    def is_fresh(self, now: datetime) -> bool:
        """Whether it can be used without being renewed first."""
        if self.expires_at is None:
            return True
        life = (self.expires_at - self.got_at).total_seconds()
        margin = min(MARGIN_S, MARGIN_SHARE * life)
        return (self.expires_at - now).total_seconds() > margin

    def is_valid(self, now: datetime) -> bool:
        """Whether it is still good, however little is left."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Refused:
    """No token. `what` goes on from "Getting a token from …"; `is_final` when asking with the same words is no use."""

    what: str
    is_final: bool = False


def token_form(client: Client, *, refresh: str = "") -> bytes:
    """The form that asks for a token: with the client's own credentials, or with a refresh token."""
    form = {"grant_type": "client_credentials"}
    if refresh:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
    if client.scope:
        form["scope"] = client.scope
    if client.resource:
        form["resource"] = client.resource
    if client.method == "post":
        form |= {"client_id": client.id, "client_secret": client.secret}
    return urlencode(form).encode()


def token_headers(client: Client) -> tuple[tuple[str, str], ...]:
    """The headers that say who asks; both halves are form-encoded first (RFC 6749 §2.3.1)."""
    if client.method == "post":
        return ()
    pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
    return (("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"),)


def read_token(page: Page, *, now: datetime) -> Token | Refused:
    """What a token endpoint answered. Nothing of its own words is repeated but a standard error code."""
    document = _open(page)
    if page.status != 200:
        error = document.get("error") if document is not None else None
        named = f", {error}" if isinstance(error, str) and error in _ERRORS else ""
        return Refused(f"refused with HTTP {page.status}{named}", is_final=400 <= page.status < 500)
    if document is None:
        return Refused(f"the answer is {_kind(page)} and no JSON object")
    access = _word(document.get("access_token"))
    if not access:
        return Refused("the answer has no usable `access_token`")
    kind = document.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return Refused("the token is not a bearer token, and this probe can send no other")
    refresh = _word(document.get("refresh_token"))
    return Token(access, now, _end_of(document, access, now), refresh)


def _word(value: object) -> str:
    """A value that may stand in a header or a form; empty when it may not."""
    is_usable = isinstance(value, str) and len(value) <= MAX_TOKEN_CHARS and _WORD.fullmatch(value)
    return str(value) if is_usable else ""


def _end_of(document: Mapping[str, Any], access: str, now: datetime) -> datetime | None:
    life = lifetime(document.get("expires_in"))
    if life is not None:
        return now + life
    expiry = jwt_expiry(access)
    return expiry.at if expiry else None


def _open(page: Page) -> dict[str, Any] | None:
    try:
        document = msgspec.json.decode(page.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _kind(page: Page) -> str:
    if page.is_cut:
        return "too large"
    if not page.body:
        return "empty"
    is_html = page.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))
    return "a web page" if is_html or "text/html" in page.content_type.lower() else "something else"
