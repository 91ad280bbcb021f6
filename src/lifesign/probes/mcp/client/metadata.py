"""Where a client finds out how to sign in, and what it reads there: RFC 9728, RFC 8414, OpenID Connect. Pure.

The orders are those of the MCP specification (2025-11-25, authorization, "Protected Resource Metadata Discovery
Requirements" and "Authorization Server Metadata Discovery"), which the official SDKs follow.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

import msgspec

from lifesign.net.url import URL, URLError, parse_url

MAX_WORDS = 100
"""So many scopes, servers and the like are kept of a list."""

MAX_WORD_CHARS = 300

_RESOURCE = "/.well-known/oauth-protected-resource"
_SERVER = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"
_BROWSER_GRANTS = frozenset({"authorization_code", "implicit"})


@dataclass(frozen=True, slots=True)
class Unusable:
    """A document that no client can use; `what` ends the sentence "it …"."""

    what: str


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What a server says of itself (RFC 9728 §2): its name, and who signs people in for it, preferred first."""

    resource: str
    servers: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """What an authorization server says of itself (RFC 8414 §2): the part that clients of MCP look at."""

    issuer: str
    token_endpoint: str
    has_s256: bool
    takes_metadata_documents: bool
    takes_registrations: bool
    sends_issuer: bool
    scopes: tuple[str, ...] = ()
    auth_methods: tuple[str, ...] = ()


class Kinship(StrEnum):
    """How the `resource` of the metadata relates to the endpoint that clients use."""

    SAME = "same"
    SPELLING = "spelling"
    SLASH = "slash"
    QUERY = "query"
    ORIGIN = "origin"
    PARENT = "parent"
    OTHER = "other"


def resource_metadata_urls(endpoint: URL, named: str = "") -> tuple[str, ...]:
    """Where to look for the metadata of a protected resource, in order: the challenge's address comes first."""
    path = endpoint.target.partition("?")[0]
    under = [_RESOURCE + path] if path != "/" else []
    return _distinct([named, *(_root(endpoint) + each for each in (*under, _RESOURCE))])


def server_metadata_urls(issuer: URL) -> tuple[str, ...]:
    """Where to look for the metadata of an authorization server, in order."""
    path = issuer.target.partition("?")[0].rstrip("/")
    tails = (_SERVER + path, _OPENID + path, path + _OPENID)
    return _distinct([_root(issuer) + tail for tail in tails])


def kinship(resource: str, endpoint: URL) -> Kinship:
    """Whether both are one resource, and what tells them apart if not. Clients compare them as texts (RFC 9728 §3.3)."""
    exact = str(endpoint)
    if resource == exact or (endpoint.target == "/" and f"{resource}/" == exact):
        return Kinship.SAME
    try:
        named = parse_url(resource)
    except URLError:
        return Kinship.OTHER
    if named.origin != endpoint.origin:
        return Kinship.OTHER
    return Kinship.SPELLING if named == endpoint else _kinship_of_paths(named, endpoint)


def _kinship_of_paths(named: URL, endpoint: URL) -> Kinship:
    theirs, ours = (each.target.partition("?")[0] for each in (named, endpoint))
    if theirs == ours:
        return Kinship.QUERY
    if theirs.rstrip("/") == ours.rstrip("/"):
        return Kinship.SLASH
    if theirs == "/":
        return Kinship.ORIGIN
    return Kinship.PARENT if ours.startswith(theirs.rstrip("/") + "/") else Kinship.OTHER


def read_resource(body: bytes) -> ProtectedResource | Unusable:
    """The metadata of a protected resource, if a client could go on with it."""
    document = _open(body)
    if isinstance(document, Unusable):
        return document
    resource = document.get("resource")
    if not isinstance(resource, str) or not resource:
        return Unusable("has no `resource`")
    if not resource.startswith(("http://", "https://")):
        return Unusable("has a `resource` that is no http(s) URL")
    servers = _words(document.get("authorization_servers"))
    if not servers:
        return Unusable("names no authorization server")
    return ProtectedResource(
        resource[:MAX_WORD_CHARS], servers, _words(document.get("scopes_supported"))
    )


def read_server(body: bytes, named_by: URL | None = None) -> AuthorizationServer | Unusable:
    """The metadata of an authorization server, if a client could go on with it; `named_by` is where it was asked for."""
    document = _open(body)
    if isinstance(document, Unusable):
        return document
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        return Unusable("has no `issuer`")
    needed = ["token_endpoint"]
    grants = _words(document.get("grant_types_supported"))
    if not grants or _BROWSER_GRANTS & set(grants):
        needed.insert(0, "authorization_endpoint")
    for name in needed:
        if problem := why_insecure(document.get(name), named_by=named_by):
            return Unusable(f"has {'an' if name[0] == 'a' else 'a'} `{name}` that {problem}")
    return AuthorizationServer(
        issuer=issuer[:MAX_WORD_CHARS],
        token_endpoint=document["token_endpoint"],
        has_s256="S256" in _words(document.get("code_challenge_methods_supported")),
        takes_metadata_documents=document.get("client_id_metadata_document_supported") is True,
        takes_registrations=isinstance(document.get("registration_endpoint"), str),
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        scopes=_words(document.get("scopes_supported")),
        auth_methods=_words(document.get("token_endpoint_auth_methods_supported")),
    )


def why_insecure(address: object, *, named_by: URL | None = None) -> str:
    """Why no client may send anything there, as the end of "that …"; empty when it may.

    Loopback needs no TLS. Named by a server that is elsewhere, it would be the client's own machine: nobody follows that.
    """
    if not isinstance(address, str) or not address:
        return "is missing"
    try:
        url = parse_url(address)
    except URLError:
        return "is no http(s) URL"
    if is_loopback(url):
        is_near = named_by is None or is_loopback(named_by)
        return "" if is_near else "is on the client's own machine"
    return "" if url.is_tls else "is not https"


def is_loopback(url: URL) -> bool:
    """Whether the host is this machine by its very name."""
    if url.host == "localhost" or url.host.endswith(".localhost"):
        return True
    try:
        return ip_address(url.host).is_loopback
    except ValueError:
        return False


def shown_address(text: str) -> str:
    """An address that a stranger wrote, as it was written and fit for messages: without a query, for keys are put there."""
    plain, question, _query = text.strip().partition("?")
    try:
        parse_url(plain)
    except URLError:
        return repr(plain.rpartition("@")[2][:100])
    return f"{plain[:MAX_WORD_CHARS]}{'?…' if question else ''}"


def _root(url: URL) -> str:
    return f"{url.scheme}://{url.authority}"


def _distinct(urls: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url for url in urls if url))


def _open(body: bytes) -> dict[str, Any] | Unusable:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unusable("is not JSON")
    return document if isinstance(document, dict) else Unusable("is no JSON object")


def _words(value: object) -> tuple[str, ...]:
    """The texts of a list; whatever else stands there is passed over."""
    if not isinstance(value, list):
        return ()
    return tuple(
        word[:MAX_WORD_CHARS] for word in value[:MAX_WORDS] if isinstance(word, str) and word
    )
