"""The ping addresses of jobs, as Healthchecks has them (https://healthchecks.io/docs/http_api/).

Plain ASGI in front of everything else: no routing table, no parsing that is not needed, because a ping is
answered only when it is on disk and there may be thousands a second.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import parse_qs
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from lifesign.api.client import client_of
from lifesign.core.errors import LifesignError, NotFoundError
from lifesign.service.pings import Action, PingDesk

MAX_BODY = 100_000
"""Bytes of a ping's body that are kept (the hosted Healthchecks keeps as many)."""
MAX_READ = 10_000_000
"""Bytes of a body that are read at most before the sender is answered anyway."""
MAX_AGENT = 200
MAX_STATUS = 255

_PREFIX = "/ping/"
_UUID = r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
_PATH = re.compile(rf"/ping/{_UUID}(?:/(?:(start|fail|log)|([0-9]{{1,3}})))?/?")
_ACTIONS: dict[str, Action] = {"": "success", "start": "start", "fail": "fail", "log": "log"}
_METHODS = frozenset({"GET", "HEAD", "POST"})

Headers = list[tuple[bytes, bytes]]
_HEADERS: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),
    (b"ping-body-limit", str(MAX_BODY).encode()),
    (b"x-content-type-options", b"nosniff"),
]


class PingIngest:
    """Answers `/ping/…` itself and hands everything else to the application behind it."""

    def __init__(
        self,
        app: ASGIApp,
        desk: PingDesk,
        *,
        trusted_proxies: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._app = app
        self._desk = desk
        self._trusted = tuple(trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's message of any type."""
        if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
            await self._app(scope, receive, send)
            return
        status, text, extra = await self._answer(scope, receive)
        body = text.encode()
        length = (b"content-length", str(len(body)).encode())
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*_HEADERS, length, *extra],
            }
        )
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, str, Headers]:
        method: str = scope["method"]
        if method == "OPTIONS":
            return 204, "", [(b"access-control-allow-methods", b"GET, HEAD, POST")]
        if method not in _METHODS:
            return 405, "use GET, HEAD or POST", [(b"allow", b"GET, HEAD, POST, OPTIONS")]
        match = _PATH.fullmatch(scope["path"])
        if match is None or int(match[3] or 0) > MAX_STATUS:
            status = 404 if _names_no_uuid(scope) else 400
            return status, "not found" if status == 404 else "invalid url format", []
        run_id = _run_id(scope["query_string"])
        if run_id is None:
            return 400, "invalid uuid format", []
        return await self._take(scope, receive, match=match, run_id=run_id)

    async def _take(
        self, scope: Scope, receive: Receive, *, match: re.Match[str], run_id: str
    ) -> tuple[int, str, Headers]:
        """Hand the ping over and wait until it is stored."""
        exit_status = int(match[3]) if match[3] else None
        action = "exit" if exit_status is not None else _ACTIONS[match[2] or ""]
        try:
            await self._desk.receive(
                match[1].lower(),
                action=action,
                exit_status=exit_status,
                run_id=run_id,
                body=await _body(receive) if scope["method"] == "POST" else b"",
                method=scope["method"],
                remote=client_of(scope, self._trusted),
                user_agent=_user_agent(scope["headers"]),
            )
        except NotFoundError:
            return 404, "not found", []
        except LifesignError as error:
            return error.status, "not stored, try again", [(b"retry-after", b"2")]
        return 200, "OK", []


def _names_no_uuid(scope: Scope) -> bool:
    """Whether the first part is no UUID at all: then there is no such address, rather than a wrong one."""
    first = scope["path"].removeprefix(_PREFIX).split("/", 1)[0]
    return re.fullmatch(_UUID, first) is None


def _run_id(query: bytes) -> str | None:
    """The run id in the query: empty when there is none, None when it is not a UUID."""
    if b"rid=" not in query:
        return ""
    given = parse_qs(query.decode("latin-1")).get("rid", [""])[0]
    try:
        return str(UUID(given)) if given else ""
    except ValueError:
        return None


async def _body(receive: Receive) -> bytes:
    """The first bytes of the body; the rest is read and let go, so that the sender is not cut off."""
    kept: list[bytes] = []
    read = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk: bytes = message.get("body", b"")
        if read < MAX_BODY:
            kept.append(chunk[: MAX_BODY - read])
        read += len(chunk)
        if not message.get("more_body", False) or read > MAX_READ:
            break
    return b"".join(kept)


def _user_agent(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return next(
        (value.decode("latin-1")[:MAX_AGENT] for name, value in headers if name == b"user-agent"),
        "",
    )
