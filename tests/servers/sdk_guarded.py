"""The official SDK's MCP server behind sign-in: a protected resource that is not ours."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

from asgi_server import _Embedded


class Tokens:
    """A verifier that knows its tokens and their scopes; what is taken out is called back."""

    def __init__(self, scopes: Mapping[str, list[str]]) -> None:
        self.scopes = dict(scopes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token if it is known."""
        scopes = self.scopes.get(token)
        return (
            None if scopes is None else AccessToken(token=token, client_id="probe", scopes=scopes)
        )


@asynccontextmanager
async def sdk_guarded(issuer: str, tokens: Tokens) -> AsyncIterator[str]:
    """The URL of a server that lets nobody in without a token of that issuer with the scope `mcp:read`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        # As texts: an AnyHttpUrl of its own would put a slash behind the issuer.
        auth = AuthSettings.model_validate(
            {
                "issuer_url": issuer,
                "resource_server_url": url,
                "required_scopes": ["mcp:read"],
                "validate_token_resource": False,
            }
        )
        server = MCPServer("guarded", version="1.0", auth=auth, token_verifier=tokens)

        @server.tool()
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            return a + b

        config = uvicorn.Config(
            server.streamable_http_app(json_response=True), log_level="error", ws="none"
        )
        embedded = _Embedded(config)
        task = asyncio.create_task(embedded.serve(sockets=[listener]))
        await embedded.ready.wait()
        try:
            yield url
        finally:
            embedded.should_exit = True
            await task
