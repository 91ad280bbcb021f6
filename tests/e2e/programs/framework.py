"""A server on FastMCP 2 (the handshake era), run with the environment of `make foreign`: PORT http|sse."""

import sys

from fastmcp import FastMCP

PORT, SHAPE = int(sys.argv[1]), sys.argv[2]

server = FastMCP("framework", version="3.2.1")


@server.tool(annotations={"readOnlyHint": True})
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


server.run(transport=SHAPE, host="127.0.0.1", port=PORT, show_banner=False, log_level="INFO")
