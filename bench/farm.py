"""Targets in one small fast process: MCP servers, a port that accepts, and addresses that never answer.

`python -m bench.farm MCP_PORT HANG_PORT HANGING` serves MCP on every address of `ADDRESSES`, and takes connections
without ever answering on `HANGING` addresses of 127.1.0.0/16. It says `ready` when it listens.
"""

import asyncio
import socket
import sys

import uvloop

from bench.mcp_server import MCP

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(1, 17))
"""Checks leave from one port each, and a port rests for a minute after use: 16 addresses give 7,000 a second."""


def hanging_address(number: int) -> str:
    """The address of the n-th target that never answers."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def serve(mcp_port: int, hang_port: int, hanging: int) -> None:
    """Listen on everything and stay."""
    loop = asyncio.get_running_loop()
    for address in ADDRESSES:
        sock = socket.create_server((address, mcp_port), backlog=4096)
        await loop.create_server(MCP, sock=sock)
    for number in range(hanging):
        sock = socket.create_server((hanging_address(number), hang_port), backlog=64)
        await loop.create_server(asyncio.Protocol, sock=sock)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(*(int(word) for word in sys.argv[1:4])))
