"""Looks metadata up: address after address, until one serves a document that a client can use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from lifesign.net.failures import NetError
from lifesign.net.http import URL, URLError, parse_url
from lifesign.probes.mcp.client.aside import MAX_DOCUMENT, Aside
from lifesign.probes.mcp.client.metadata import (
    AuthorizationServer,
    ProtectedResource,
    Unusable,
    read_resource,
    read_server,
    resource_metadata_urls,
    server_metadata_urls,
    shown_address,
    why_insecure,
)

T = TypeVar("T", ProtectedResource, AuthorizationServer)


@dataclass(slots=True)
class Search(Generic[T]):
    """One kind of document: the first usable one and its address, and what was wrong at the addresses before it.

    The lists hold clauses such as `https://a.example/… answered HTTP 404`. `unreachable` is what may pass by itself: the
    network, 5xx and 429.
    """

    document: T | None = None
    url: str = ""
    unusable: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    @property
    def troubles(self) -> str:
        """What happened at each address that did not do."""
        clauses = (*self.unusable, *self.unreachable, *self.missing, *self.blocked)
        return "; ".join(clauses) or "there is no address to ask"

    @property
    def is_blocked(self) -> bool:
        """Whether only our own egress fence stood in the way: then nothing is known."""
        return bool(self.blocked) and not (self.unusable or self.unreachable or self.missing)


async def find_resource(
    aside: Aside, endpoint: URL, *, named: str = "", deadline: float
) -> Search[ProtectedResource]:
    """The metadata of a protected resource; `named` is the address that its challenge gave."""
    search: Search[ProtectedResource] = Search()
    for address in resource_metadata_urls(endpoint, named):
        if address == named and (problem := why_insecure(named, named_by=endpoint)):
            search.unusable.append(f"{shown_address(named)}, named by the challenge, {problem}")
        elif await _try(search, aside, address, read_resource, deadline=deadline):
            break
    return search


async def find_server(aside: Aside, issuer: URL, *, deadline: float) -> Search[AuthorizationServer]:
    """The metadata of an authorization server. Whether its issuer is the one asked for is the caller's to see."""
    search: Search[AuthorizationServer] = Search()
    for address in server_metadata_urls(issuer):
        read = partial(read_server, named_by=issuer)
        if await _try(search, aside, address, read, deadline=deadline):
            break
    return search


async def _try(
    search: Search[T],
    aside: Aside,
    address: str,
    read: Callable[[bytes], T | Unusable],
    *,
    deadline: float,
) -> bool:
    """Whether this address ends the search."""
    try:
        url = parse_url(address)
        page = await aside.get(url, deadline=deadline)
    except URLError:
        search.unusable.append(f"{shown_address(address)} is no address")
        return False
    except NetError as error:
        is_ours = error.failure.layer == "egress"
        (search.blocked if is_ours else search.unreachable).append(_clause(error))
        return False
    if page.status != 200:
        is_ill = page.status >= 500 or page.status == 429
        place = search.unreachable if is_ill else search.missing
        place.append(f"{url.shown} answered HTTP {page.status}")
        return False
    document = (
        Unusable(f"is larger than {MAX_DOCUMENT >> 10} KiB") if page.is_cut else read(page.body)
    )
    if isinstance(document, Unusable):
        search.unusable.append(f"what {url.shown} serves {document.what}")
        return False
    search.document, search.url = document, address
    return True


def _clause(error: NetError) -> str:
    return error.failure.message.removesuffix(".")
