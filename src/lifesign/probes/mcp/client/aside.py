"""What a client asks beside the conversation: metadata and tokens, from the server or from others it names.

Every request is fenced, bounded, made on a connection of its own, and follows no redirect, as in the official SDKs.
"""

from dataclasses import dataclass, field, replace

from lifesign import __version__
from lifesign.net.access import Net
from lifesign.net.failures import NetError
from lifesign.net.http import URL, HTTPConnection, Request
from lifesign.net.tls import TLSOptions

MAX_DOCUMENT = 256 * 1024
"""Real metadata has a few kilobytes; an OpenID provider with every locale of the world has some twenty."""

_AGENT = ("User-Agent", f"lifesign-probe/{__version__}")
_UNKNOWN_AUTHORITY = frozenset({"untrusted_chain", "incomplete_chain"})


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. `body` is empty when it was larger than is read, which `is_cut` tells."""

    url: URL
    status: int
    body: bytes = field(repr=False)
    is_cut: bool = False
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """Asks around for one server: `home` is its endpoint, `tls` how one connects to it."""

    net: Net
    home: URL
    tls: TLSOptions

    async def get(self, url: URL, *, deadline: float) -> Page:
        """Fetch one document. Raises `NetError`."""
        headers = (("Accept", "application/json"), _AGENT)
        return await self._send(Request("GET", url, headers), deadline)

    async def post_form(
        self, url: URL, form: bytes, *, headers: tuple[tuple[str, str], ...] = (), deadline: float
    ) -> Page:
        """Send a form, as a token endpoint takes it. Raises `NetError`."""
        fixed = (
            ("Accept", "application/json"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            _AGENT,
        )
        return await self._send(Request("POST", url, fixed + headers, form), deadline)

    async def _send(self, request: Request, deadline: float) -> Page:
        """The client's certificate goes to the server alone; its authority is tried where the system's do not do."""
        if request.url.origin == self.home.origin:
            return await self._exchange(request, self.tls, deadline)
        foreign = replace(self.tls, server_name=None, client_cert_pem=None, client_key_pem=None)
        if foreign.ca_pem is None or not foreign.verify:
            return await self._exchange(request, foreign, deadline)
        try:
            return await self._exchange(request, replace(foreign, ca_pem=None), deadline)
        except NetError as error:
            if error.failure.code not in _UNKNOWN_AUTHORITY:
                raise
        return await self._exchange(request, foreign, deadline)

    async def _exchange(self, request: Request, tls: TLSOptions, deadline: float) -> Page:
        connection = await HTTPConnection.connect(
            self.net, request.url, deadline=deadline, phases={}, tls=tls
        )
        async with connection:
            answer = await connection.exchange(
                request, deadline=deadline, phases={}, max_body=MAX_DOCUMENT
            )
        kind = answer.header("content-type") or ""
        body = b"" if answer.truncated else answer.body
        return Page(request.url, answer.status, body, answer.truncated, kind[:100])
