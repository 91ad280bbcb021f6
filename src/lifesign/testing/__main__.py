"""`python -m lifesign.testing`: the server from a shell, for people of other projects and other languages."""

import argparse
import asyncio
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lifesign.testing.everything import EVERYTHING
from lifesign.testing.faults import ELSEWHERE, FAULTS, Where
from lifesign.testing.gate import CLIENT_ID, CLIENT_SECRET, Gate
from lifesign.testing.protocol import Era, Transport
from lifesign.testing.server import FaultyMCP
from lifesign.testing.stdio import serve


def main(words: Sequence[str] | None = None) -> int:
    """Run what the words of the command line ask for; the exit status."""
    parser = _parser()
    asked = parser.parse_args(words)
    if asked.list:
        sys.stdout.write(listing())
        return 0
    try:
        if asked.mode == "stdio":
            return serve(asked.fault, Era(asked.era or Era.DUAL))
        server = _server(asked)
    except (ValueError, OSError) as problem:
        parser.error(str(problem))
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(server, asked.mode))
    return 0


def listing() -> str:
    """Every switch, a line each, and the codes that have none."""
    lines = [f"{code:36}The server {found.what}" for code, found in FAULTS.items()]
    lines += ["", "Not a server's fault:"]
    lines += [f"{code:36}{reason}" for code, reason in ELSEWHERE.items()]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lifesign.testing",
        description="An MCP server for tests: faithful, or with one fault.",
    )
    parser.add_argument(
        "mode", nargs="?", default="http", choices=("http", "sse", "stdio", "health"),
        help="Streamable HTTP (the default), HTTP+SSE, standard streams, or the health URL's address",
    )  # fmt: skip
    parser.add_argument("--fault", default="", metavar="CODE", help="what is wrong, for example tools_list/hang")  # fmt: skip
    parser.add_argument("--era", choices=[era.value for era in Era], help="which revisions it speaks (default: dual)")  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help="the address (default: loopback only)")  # fmt: skip
    parser.add_argument("--auth", action="store_true", help="ask for a token")
    parser.add_argument("--tls-cert", metavar="FILE", help="serve https with this certificate chain (PEM)")  # fmt: skip
    parser.add_argument("--tls-key", metavar="FILE", help="its key, if it is in another file")
    parser.add_argument("--list", action="store_true", help="list every fault and leave")
    return parser


def _server(asked: argparse.Namespace) -> FaultyMCP:
    told: dict[str, Any] = {} if asked.fault else {"offer": EVERYTHING, "era": Era.DUAL}
    if asked.era:
        told["era"] = Era(asked.era)
    if asked.mode == "sse":
        told["transport"] = Transport.SSE
    if asked.auth:
        told["gate"] = Gate()
    tls = None
    if asked.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(asked.tls_cert, asked.tls_key)
    return FaultyMCP(asked.fault, tls=tls, host=asked.listen, port=asked.port, **told)


async def _run(server: FaultyMCP, mode: str) -> None:
    """Serve until interrupted; the first line on stdout is the address."""
    async with server:
        fault = FAULTS.get(server.fault)
        is_health = mode == "health" or (fault is not None and fault.where is Where.HEALTH)
        lines = [server.health_url if is_health else server.url]
        if fault is not None:
            lines.append(f"The server {fault.what}")
            lines += [f"Seen by {fault.needs}."] if fault.needs else []
        if (gate := server.ways.gate) is not None:
            lines.append(f"Token: {gate.token}, client: {CLIENT_ID} with {CLIENT_SECRET}")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await server.stay()


if __name__ == "__main__":
    sys.exit(main())
