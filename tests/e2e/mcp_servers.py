"""MCP servers that we did not write, as programs: how each is started, and what is true of what it serves.

A family is several programs that publish the same thing over other transports and eras.
"""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import outside
from e2e.processes import Child, clean_environment, free_port

PROGRAMS = Path(__file__).with_name("programs")
NEEDS = (
    "node", "mcp-everything", "mcp-filesystem", "mcp-memory", "supergateway", "fastmcp", "mcp-proxy",
    "mcp-git", "mcp-time", "mcp-time-before",
)  # fmt: skip

Command = list[str | Path]
OLD, NEW = "2025-11-25", "2026-07-28"


@dataclass(frozen=True, slots=True)
class Door:
    """One way in, and what a probe has to find there. `goodbye` is what the program says when a session is ended."""

    path: str = "/mcp"
    transport: str = "http"
    framing: str = "json"
    version: str = OLD
    session: bool = False
    goodbye: str = ""

    @property
    def era(self) -> str:
        """The era that its version belongs to."""
        return "modern" if self.version == NEW else "legacy"


@dataclass(frozen=True, slots=True)
class Program:
    """`command(port, directory)` starts it. A door whose transport is stdio needs nobody to start it before."""

    name: str
    command: Callable[[int, Path], Command]
    doors: tuple[Door, ...]
    environment: Callable[[int, Path], dict[str, str]] = lambda _port, _directory: {}
    start_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Family:
    """Programs that publish the same tools, what they call themselves, and how many tools they have."""

    server_name: str
    tools: int
    programs: tuple[Program, ...]

    @property
    def doors(self) -> tuple[Door, ...]:
        """Every way in."""
        return tuple(door for program in self.programs for door in program.doors)


@dataclass(frozen=True, slots=True)
class Served:
    """One door of a running program. `url` is empty for stdio, `command` is what to run then."""

    name: str
    door: Door
    url: str = ""
    command: tuple[str, ...] = ()
    child: Child | None = None


@dataclass(slots=True)
class Running:
    """A family that is up."""

    family: Family
    served: list[Served] = field(default_factory=list)


def stdio(version: str = OLD) -> tuple[Door, ...]:
    """The one door of a program that is spoken to over its pipes."""
    return (Door("", "stdio", "", version),)


def _everything(how: str) -> Callable[[int, Path], Command]:
    return lambda _port, _directory: [outside.path_of("mcp-everything"), how]


def _port_variable(port: int, _directory: Path) -> dict[str, str]:
    return {"PORT": str(port)}


def _gateway(*flags: str) -> Callable[[int, Path], Command]:
    return lambda port, _directory: [
        outside.path_of("supergateway"),
        "--stdio", shlex.quote(outside.path_of("mcp-memory")),
        "--port", str(port),
        *flags,
    ]  # fmt: skip


def _memory_file(_port: int, directory: Path) -> dict[str, str]:
    return {"MEMORY_FILE_PATH": str(directory / "memory.jsonl")}


def _proxy(program: Callable[[Path], Command], *flags: str) -> Callable[[int, Path], Command]:
    return lambda port, directory: [
        outside.path_of("mcp-proxy"), *flags, f"--port={port}", "--host=127.0.0.1", "--pass-environment", "--",
        *program(directory),
    ]  # fmt: skip


def _filesystem(directory: Path) -> Command:
    shared = directory / "shared"
    shared.mkdir(exist_ok=True)
    return [outside.path_of("mcp-filesystem"), shared.resolve()]


def _time(_directory: Path) -> Command:
    return [outside.path_of("mcp-time"), "--local-timezone=UTC"]


def _git(_port: int, directory: Path) -> Command:
    repository = directory / "repository"
    subprocess.run(["git", "init", "--quiet", repository], check=True, timeout=20)
    return [outside.path_of("mcp-git"), "--repository", repository]


def _script(name: str, shape: str, *, python: Path | str = "") -> Callable[[int, Path], Command]:
    chosen = python or outside.FOREIGN_PYTHON / "python"
    return lambda port, _directory: [chosen, PROGRAMS / name, str(port), shape]


_EXPRESS = "Received session termination request"
_SDK = "Terminating session"
_UVICORN = r'"DELETE /mcp HTTP/1.1" 200'

FAMILIES = {
    "everything": Family(
        "mcp-servers/everything",
        13,
        (
            Program(
                "everything http",
                _everything("streamableHttp"),
                (Door(framing="sse", session=True, goodbye=_EXPRESS),),
                _port_variable,
            ),
            Program(
                "everything sse", _everything("sse"), (Door("/sse", "sse", "sse"),), _port_variable
            ),
            Program("everything stdio", _everything("stdio"), stdio()),
        ),
    ),
    "memory": Family(
        "memory-server",
        9,
        (
            Program("gateway sse", _gateway(), (Door("/sse", "sse", "sse"),), _memory_file),
            Program(
                "gateway stateless",
                _gateway("--outputTransport", "streamableHttp"),
                (Door(framing="sse"),),
                _memory_file,
            ),
            Program(
                "gateway stateful",
                _gateway("--outputTransport", "streamableHttp", "--stateful"),
                (Door(framing="sse", session=True, goodbye="ession.*(clos|terminat|delet)"),),
                _memory_file,
            ),
            Program(
                "memory stdio",
                lambda _port, _directory: [outside.path_of("mcp-memory")],
                stdio(),
                _memory_file,
            ),
        ),
    ),
    "filesystem": Family(
        "secure-filesystem-server",
        14,
        (
            Program(
                "proxy filesystem",
                _proxy(_filesystem),
                (Door(session=True, goodbye=_SDK), Door("/sse", "sse", "sse")),
            ),
            Program("filesystem stdio", lambda _port, directory: _filesystem(directory), stdio()),
        ),
    ),
    "time": Family(
        "mcp-time",
        2,
        (
            Program("proxy time", _proxy(_time, "--stateless"), (Door(),)),
            Program("time stdio", lambda _port, directory: _time(directory), stdio(NEW)),
        ),
    ),
    "time before": Family(
        "mcp-time",
        2,
        (
            Program(
                "older time stdio",
                lambda _port, _directory: [
                    outside.path_of("mcp-time-before"),
                    "--local-timezone=UTC",
                ],
                stdio(),
            ),
        ),
    ),
    "git": Family("mcp-git", 12, (Program("git stdio", _git, stdio(NEW)),)),
    "framework": Family(
        "framework",
        1,
        (
            Program(
                "fastmcp http",
                _script("framework.py", "http"),
                (Door(framing="sse", session=True, goodbye=_UVICORN),),
            ),
            Program("fastmcp sse", _script("framework.py", "sse"), (Door("/sse", "sse", "sse"),)),
        ),
    ),
    "handshake": Family(
        "handshake",
        1,
        (
            Program(
                "sdk 1 http",
                _script("handshake_sdk.py", "http"),
                (Door(framing="sse", session=True, goodbye=_SDK),),
            ),
            Program("sdk 1 json", _script("handshake_sdk.py", "json"), (Door(),)),
            Program("sdk 1 sse", _script("handshake_sdk.py", "sse"), (Door("/sse", "sse", "sse"),)),
        ),
    ),
    "two-eras": Family(
        "two-eras",
        31,
        (
            Program(
                "sdk 2 http",
                _script("two_eras.py", "http", python=sys.executable),
                (Door(version=NEW), Door(framing="sse", session=True, goodbye=_SDK)),
            ),
            Program(
                "sdk 2 json",
                _script("two_eras.py", "json", python=sys.executable),
                (Door(version=NEW), Door()),
            ),
            Program(
                "sdk 2 sse",
                _script("two_eras.py", "sse", python=sys.executable),
                (Door("/sse", "sse", "sse"),),
            ),
        ),
    ),
}


@contextmanager
def running(family: Family, directory: Path, **environment: str) -> Iterator[Running]:
    """All programs of a family, started together; none of them is left behind."""
    up = Running(family)
    with ExitStack() as stack:
        children: list[tuple[Program, Child | None, int]] = []
        for program in family.programs:
            port = free_port()
            own = environment | program.environment(port, directory)
            command = program.command(port, directory)
            if program.doors[0].transport == "stdio":
                words = tuple(str(word) for word in command)
                up.served.append(Served(program.name, program.doors[0], command=words))
                continue
            child = stack.enter_context(Child(command, environment=clean_environment(**own)))
            children.append((program, child, port))
            for door in program.doors:
                name = f"{program.name} {door.version} {door.path}"
                url = f"http://127.0.0.1:{port}{door.path}"
                up.served.append(Served(name, door, url, child=child))
        for program, child, port in children:
            if child is not None:
                child.listens(port, within=program.start_s)
        yield up
