"""A server on the SDK of the handshake era (mcp 1.x), run with the environment of `make foreign`: PORT http|json|sse.

`http` keeps sessions and answers with event streams, `json` is stateless and answers with JSON, `sse` is the old
transport of two addresses.
"""

import sys

from mcp.server.fastmcp import FastMCP

PORT, SHAPE = int(sys.argv[1]), sys.argv[2]

server = FastMCP(
    "handshake",
    instructions="Adds numbers.",
    host="127.0.0.1",
    port=PORT,
    json_response=SHAPE == "json",
    stateless_http=SHAPE == "json",
)


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.resource("note://today")
def note() -> str:
    """What is on today."""
    return "nothing"


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Say hello to {name}."


server.run("sse" if SHAPE == "sse" else "streamable-http")
