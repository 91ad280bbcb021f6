"""The machine: interpreter, event loop, descriptors, clock, loopback, name servers."""

import asyncio
import platform
import resource
import sys
from datetime import UTC, datetime
from importlib.util import find_spec

from lifesign.cli.checks.finding import Finding, Level
from lifesign.cli.client import Place
from lifesign.clock import SystemClock
from lifesign.net.failures import NetError
from lifesign.net.resolve import Resolver

_OLDEST_PYTHON = (3, 11)
_FEW_FILES = 4096
"""Enough for the default 1,000 probes at once with their channels, pages and database."""
_BUILT_AFTER = datetime(2026, 11, 1, tzinfo=UTC)
_NAMES_DEADLINE_S = 3.0


async def check_python(_place: Place) -> Finding:
    """The interpreter."""
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("python", Level.FAIL, text, "Install Python 3.11 or newer.")
    return Finding("python", Level.OK, text)


async def check_loop(_place: Place) -> Finding:
    """The event loop: uvloop does about twice the probes per CPU-second."""
    if find_spec("uvloop") is None:
        return Finding(
            "loop",
            Level.WARN,
            "uvloop is not installed; probes cost about twice the CPU",
            "pip install uvloop (there is none for Windows).",
        )
    return Finding("loop", Level.OK, "uvloop")


async def check_files(_place: Place) -> Finding:
    """File descriptors: every probe under way is a socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = float("inf") if hard == resource.RLIM_INFINITY else hard
    text = f"{soft} open files, up to {'any number' if most == float('inf') else hard}"
    if most < _FEW_FILES:
        fix = f"Raise the hard limit to {_FEW_FILES}: LimitNOFILE= in systemd, ulimits in Compose."
        return Finding("files", Level.WARN, text, fix)
    return Finding("files", Level.OK, text)


async def check_clock(_place: Place) -> Finding:
    """The wall clock: certificates and schedules go by it."""
    now = SystemClock().now()
    text = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _BUILT_AFTER:
        fix = "The clock is behind this release. Turn on time synchronisation (timedatectl set-ntp true)."
        return Finding("clock", Level.FAIL, text, fix)
    return Finding("clock", Level.OK, text)


async def check_loopback(_place: Place) -> Finding:
    """Sockets on this machine: listen and connect."""
    arrived = asyncio.Event()

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        writer.close()

    try:
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await arrived.wait()
            writer.close()
            await writer.wait_closed()
    except OSError as error:
        fix = "Bring up the loopback interface and let the process open sockets."
        return Finding("loopback", Level.FAIL, f"127.0.0.1 cannot be used: {error}", fix)
    return Finding("loopback", Level.OK, "127.0.0.1 can be listened on and reached")


async def check_names(_place: Place) -> Finding:
    """The name servers of the system: whether they answer at all."""
    return await ask_name_servers(Resolver())


async def ask_name_servers(resolver: Resolver) -> Finding:
    """Ask for the root's name servers: any answer will do, and no name of anybody's is told."""
    servers = ", ".join(address for address, _ in resolver.nameservers)
    deadline = asyncio.get_running_loop().time() + _NAMES_DEADLINE_S
    try:
        await resolver.query(".", "NS", deadline=deadline)
    except (NetError, OSError) as error:
        fix = "Check /etc/resolv.conf and the way to these servers, or set egress.nameservers."
        return Finding("names", Level.WARN, str(error), fix)
    return Finding("names", Level.OK, f"{servers} answers")
