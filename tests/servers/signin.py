"""An authorization server and the metadata of what it protects, on one loopback address: faithful unless told otherwise.

async with SignIn() as server:
    server.pages["/.well-known/oauth-protected-resource/mcp"] = page({"resource": …})
    server.token = ...  # what POST /token says
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from asgi_server import serving

RESOURCE_PATH = "/.well-known/oauth-protected-resource/mcp"
SERVER_PATH = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True)
class Page:
    """What is answered: bytes, or JSON; `hangs` sends the headers and never the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    hangs: bool = False


def page(document: object, status: int = 200) -> Page:
    """A JSON page; `{base}` in its texts becomes the server's own address."""
    return Page(json.dumps(document).encode(), status)


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The form that was posted."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


Token = Callable[[Asked], Page]


def grant(number: int = 1, **more: Any) -> Page:
    """A good answer of a token endpoint."""
    return page({"access_token": f"access-{number}", "token_type": "Bearer"} | more)


class SignIn:
    """The server; an async context manager. `base` is its address, `asked` every request that came."""

    def __init__(self) -> None:
        self.base = ""
        self.asked: list[Asked] = []
        self.pages: dict[str, Page] = {
            RESOURCE_PATH: page(
                {"resource": "{base}/mcp", "authorization_servers": ["{base}"], "scopes_supported": ["mcp:read"]}
            ),
            SERVER_PATH: page(self.metadata()),
        }  # fmt: skip
        self.token: Token = lambda _asked: grant(expires_in=3600)
        self._stack = AsyncExitStack()
        self._closing = asyncio.Event()

    @staticmethod
    def metadata(**changes: Any) -> dict[str, Any]:
        """Sound metadata of the authorization server, with changes; None takes a field away."""
        document = {
            "issuer": "{base}",
            "authorization_endpoint": "{base}/authorize",
            "token_endpoint": "{base}/token",
            "code_challenge_methods_supported": ["S256"],
            "registration_endpoint": "{base}/register",
            "client_id_metadata_document_supported": True,
        } | changes
        return {name: value for name, value in document.items() if value is not None}

    @property
    def endpoint(self) -> str:
        """The URL of what it protects."""
        return f"{self.base}/mcp"

    @property
    def challenge(self) -> str:
        """The challenge that leads to its metadata."""
        return f'Bearer resource_metadata="{self.base}{RESOURCE_PATH}", scope="mcp:read"'

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]

    async def __aenter__(self) -> Self:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        self.base = await self._stack.enter_async_context(serving(app))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        await self._stack.aclose()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(scope["method"], scope["path"], headers, body)
        self.asked.append(asked)
        is_token = scope["path"] == "/token"
        found = self.token(asked) if is_token else self.pages.get(scope["path"])
        await self._answer(found or Page(b"nothing here", 404, {}), send)

    async def _answer(self, found: Page, send: Send) -> None:
        if found.hangs:
            await self._closing.wait()
        headers = [(name.encode(), value.encode()) for name, value in found.headers.items()]
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        body = found.body.replace(b"{base}", self.base.encode())
        await send({"type": "http.response.body", "body": body})
