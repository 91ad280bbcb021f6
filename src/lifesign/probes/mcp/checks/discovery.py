"""Whether clients find out how to sign in, following the metadata step by step as a real client does.

1. The protected-resource metadata (RFC 9728): at the address of the challenge, else at the well-known ones.
2. Its `resource` is the endpoint; it names an authorization server.
3. That server's metadata (RFC 8414, OpenID Connect): at the well-known addresses in the order of the specification.
4. Its `issuer` is the one that was asked for, its endpoints are safe, PKCE with S256 is announced.

What no client can get past is a failure; what only strict clients stumble over is a finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lifesign.core.model import Failure, Finding, Level
from lifesign.net.http import URL, parse_url
from lifesign.probes.mcp.client.aside import Aside
from lifesign.probes.mcp.client.lookup import Search, find_resource, find_server
from lifesign.probes.mcp.client.metadata import (
    AuthorizationServer,
    Kinship,
    ProtectedResource,
    kinship,
    shown_address,
    why_insecure,
)
from lifesign.probes.mcp.sheet import failed, found

MAX_SCOPES = 50
_DIFFERENCES: Mapping[Kinship, str] = MappingProxyType(
    {
        Kinship.SPELLING: "means the same address and is spelt otherwise",
        Kinship.SLASH: "differs in the slash at its end",
        Kinship.QUERY: "differs in the query",
        Kinship.ORIGIN: "names the origin only",
        Kinship.PARENT: "names only the beginning of the path",
        Kinship.OTHER: "is another address",
    }
)


@dataclass(slots=True)
class Discovery:
    """What was found on the way. `failure` is the first thing that no client gets past."""

    facts: dict[str, object] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    failure: Failure | None = None
    has_metadata: bool = False

    def fail(self, code: str, message: str) -> None:
        """Note what no client gets past; the first counts."""
        self.failure = self.failure or failed("auth", code, message)

    def find(self, level: Level, code: str, message: str) -> None:
        """Note what is not as it should be."""
        self.findings.append(found(level, "auth", code, message))


async def discover(aside: Aside, *, named: str = "", deadline: float) -> Discovery:
    """Go the whole way from a refusal to the token endpoint; `named` is the `resource_metadata` of its challenge."""
    seen, endpoint = Discovery(), aside.home
    search = await find_resource(aside, endpoint, named=named, deadline=deadline)
    if search.document is None:
        _note_no_resource(seen, search, endpoint, named=named)
        if seen.failure is None and not search.is_blocked:
            await _look_the_old_way(seen, aside, search, deadline=deadline)
        return seen
    seen.has_metadata = True
    seen.facts["auth.resource_metadata"] = shown_address(search.url)
    if named and search.url != named:
        seen.find(
            Level.WARN, "prm_invalid" if search.unusable else "prm_missing",
            f"The challenge of {endpoint.shown} names metadata that cannot be had ({search.troubles}); "
            f"clients that look on find it at {shown_address(search.url)}.",
        )  # fmt: skip
    _compare_resource(seen, search.document, search.url, endpoint)
    if search.document.scopes:
        seen.facts["auth.scopes"] = [scope[:100] for scope in search.document.scopes[:MAX_SCOPES]]
    await _look_at_server(seen, aside, search.document.servers[0], deadline=deadline)
    return seen


def _note_no_resource(
    seen: Discovery, search: Search[ProtectedResource], endpoint: URL, *, named: str
) -> None:
    """A promise that is not kept is a failure; metadata that nobody promised may be missing on purpose."""
    tried = f"Looking for the protected-resource metadata of {endpoint.shown}"
    if search.is_blocked:
        seen.find(Level.INFO, "prm_missing", f"{tried}: not allowed from here: {search.troubles}.")
    elif search.unusable:
        seen.fail("prm_invalid", f"{tried}: {search.troubles}.")
    elif named or search.unreachable:
        promise = ", which the challenge promises" if named else ""
        seen.fail("prm_missing", f"{tried}{promise}: {search.troubles}.")


async def _look_the_old_way(
    seen: Discovery, aside: Aside, search: Search[ProtectedResource], *, deadline: float
) -> None:
    """Until the revision 2025-03-26 the server's own origin was the issuer; some clients still try that."""
    home = aside.home
    origin = parse_url(f"{home.scheme}://{home.authority}/")
    old = await find_server(aside, origin, deadline=deadline)
    tried = f"Looking for the protected-resource metadata of {home.shown}: {search.troubles}"
    if old.document is None:
        seen.find(
            Level.WARN, "prm_missing",
            f"{tried}. People need a token from elsewhere, for no client can start a sign-in.",
        )  # fmt: skip
        return
    seen.find(
        Level.WARN, "prm_missing",
        f"{tried}. Only clients that look for an authorization server at the origin, as in the revision 2025-03-26, "
        "can start a sign-in.",
    )  # fmt: skip
    _note_server(seen, old.document)


def _compare_resource(
    seen: Discovery, document: ProtectedResource, url: str, endpoint: URL
) -> None:
    how = kinship(document.resource, endpoint)
    if how is Kinship.SAME:
        return
    message = (
        f"The metadata at {shown_address(url)} calls the resource {shown_address(document.resource)}, "
        f"clients use {endpoint.shown}: it {_DIFFERENCES[how]}."
    )
    if how is Kinship.OTHER:
        seen.fail("prm_resource_mismatch", message)
    else:
        seen.find(Level.WARN, "prm_resource_mismatch", message)


async def _look_at_server(seen: Discovery, aside: Aside, issuer: str, *, deadline: float) -> None:
    """The first server that is named is the one that clients go to."""
    shown = shown_address(issuer)
    seen.facts["auth.issuer"] = shown
    if problem := why_insecure(issuer, named_by=aside.home):
        seen.fail(
            "prm_invalid", f"The metadata of {aside.home.shown} names the authorization server {shown}, which {problem}."
        )  # fmt: skip
        return
    search = await find_server(aside, parse_url(issuer), deadline=deadline)
    tried = f"Looking for the metadata of the authorization server {shown}"
    if search.document is not None:
        _compare_issuer(seen, search, issuer)
        _note_server(seen, search.document)
    elif search.is_blocked:
        message = f"{tried}: not allowed from here: {search.troubles}."
        seen.find(Level.INFO, "as_metadata_missing", message)
    elif search.unusable:
        seen.fail("as_metadata_invalid", f"{tried}: {search.troubles}.")
    elif search.unreachable:
        # An outage of somebody else's: whoever is signed in already goes on being served.
        seen.find(Level.WARN, "as_metadata_missing", f"{tried}: {search.troubles}.")
    else:
        seen.fail("as_metadata_missing", f"{tried}: {search.troubles}.")


def _compare_issuer(seen: Discovery, search: Search[AuthorizationServer], asked: str) -> None:
    """Texts are compared (RFC 8414 §3.3); a slash is where the official SDKs are lenient for a bare origin."""
    named = search.document.issuer if search.document else asked
    if named == asked:
        return
    message = (
        f"The metadata at {shown_address(search.url)} calls the issuer {shown_address(named)}, "
        f"and {shown_address(asked)} was asked for"
    )
    if named.rstrip("/") == asked.rstrip("/"):
        seen.find(Level.WARN, "issuer_mismatch", f"{message}: they differ in the slash at the end.")
    else:
        seen.fail("issuer_mismatch", f"{message}.")


def _note_server(seen: Discovery, server: AuthorizationServer) -> None:
    seen.facts["auth.issuer"] = shown_address(server.issuer)
    seen.facts["auth.s256"] = server.has_s256
    seen.facts["auth.client_id_metadata"] = server.takes_metadata_documents
    seen.facts["auth.registration"] = server.takes_registrations
    seen.facts["auth.response_iss"] = server.sends_issuer
    if not server.has_s256:
        seen.find(
            Level.WARN, "no_s256",
            f"The authorization server {shown_address(server.issuer)} does not announce PKCE with S256.",
        )  # fmt: skip
