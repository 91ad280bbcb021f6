"""Small programs to be run as children: each is a text of Python that needs nothing but the standard library."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

PREAMBLE = """
import json, os, signal, sys, time
def say(value): sys.stdout.write((value if isinstance(value, str) else json.dumps(value)) + "\\n"); sys.stdout.flush()
def complain(text): sys.stderr.write(text); sys.stderr.flush()
"""


def program(body: str) -> list[str]:
    """The command line of a program; it starts in some 15 ms, without site packages."""
    return [sys.executable, "-I", "-S", "-c", PREAMBLE + body]


BRIDGE = """
import socket, threading
line = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def out():
    while chunk := os.read(0, 65536): line.sendall(chunk)
    line.shutdown(socket.SHUT_WR)
threading.Thread(target=out, daemon=True).start()
while chunk := line.recv(65536): os.write(1, chunk)
"""


def bridge(host: str, port: int) -> list[str]:
    """The command line of a program that joins its stdin and stdout to a server's address."""
    return [*program(BRIDGE), host, str(port)]


LEGACY = """
RESULTS = {
    "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                   "serverInfo": {"name": "small", "version": "1"}},
    "tools/list": {"tools": [{"name": "add", "inputSchema": {"type": "object"}}]},
}
def answer(asked):
    found = RESULTS.get(asked["method"])
    reply = {"jsonrpc": "2.0", "id": asked["id"]}
    say(reply | ({"result": found} if found else {"error": {"code": -32601, "message": "unknown"}}))
"""
SERVE = """
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked and "method" in asked: answer(asked)
"""


def small_server(*, first: str = "", before: str = "", serve: str = SERVE) -> list[str]:
    """A small server of the handshake era; `first` runs at its start, `before` before each answer."""
    wrapped = (
        "\n_answer = answer\ndef answer(asked):\n    "
        + (before or "pass")
        + "\n    _answer(asked)\n"
    )
    return program(LEGACY + wrapped + first + serve)


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that ended and was not taken away yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def children() -> set[int]:
    """The processes that this one started and has not taken away, dead ones too."""
    return set(_children_of(os.getpid()))


def _children_of(parent: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == parent:
                yield int(entry.name)


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
