"""What probing MCP servers costs: per CPU-second of the whole product by era, framing and size, fleets over TLS, and
the same visits by the official SDKs' clients."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.checks import Load, monitors, rates, wait
from bench.cost import Meter, rss_mb
from bench.figures import Figure
from bench.lateness import lateness
from bench.product import PRODUCT_CORE, configuration, home, pinned, serving
from bench.targets import Targets
from e2e.processes import clean_environment, until

_ROOT = Path(__file__).parents[1]
_NODE_MODULES = _ROOT / "tests" / "e2e" / "node_modules"
_TYPESCRIPT_SDK = Path(__file__).with_name("sdk_visits.mjs")

AIMS = {
    "mcp": "≥ 2,000",
    "mcp over TLS": "≥ 700",
    "mcp, 13 tools as events": "≥ 1,200",
    "mcp, 31 tools of 43 KB": "≥ 700",
    "mcp, stateless era": "≥ 1.5 × mcp",
}


def loads(targets: Targets) -> Mapping[str, Load]:
    """Every sort of server, at a rate that one core carries."""

    def settings(number: int, *, path: str) -> Mapping[str, Any]:
        return {"url": targets.mcp_url(number, path)}

    def over_tls(number: int) -> Mapping[str, Any]:
        return {"url": targets.mcp_tls_url(number)}

    return {
        "mcp": (1500, "mcp", partial(settings, path="mcp"), ["tools.count >= 5"]),
        "mcp over TLS": (500, "mcp", over_tls, []),
        "mcp, 13 tools as events": (900, "mcp", partial(settings, path="events"), []),
        "mcp, 31 tools of 43 KB": (700, "mcp", partial(settings, path="rich"), []),
        "mcp, stateless era": (2200, "mcp", partial(settings, path="modern"), []),
    }


def per_cpu_second(targets: Targets, *, seconds: float) -> Iterator[Figure]:
    """The whole product, then the SDKs' clients at the same servers in the same run."""
    figures = []
    for figure in rates(targets, loads(targets), AIMS, seconds=seconds):
        figures.append(figure)
        yield figure
    ours = {figure.name.removesuffix(" checks per CPU-second"): figure.value for figure in figures}
    yield Figure(
        "stateless era / handshake era",
        ours["mcp, stateless era"] / ours["mcp"],
        "x",
        "≥ 1.5",
        "whole product",
    )
    yield from sdk_clients(targets, ours["mcp"], seconds=min(seconds, 8))


def sdk_clients(targets: Targets, ours: float, *, seconds: float) -> Iterator[Figure]:
    """Visits per CPU-second of the official clients: connect, greet, list, end; they judge and store nothing."""
    commands: dict[str, list[str | Path]] = {
        "Python SDK": [sys.executable, "-m", "bench.sdk_visits"]
    }
    if (_NODE_MODULES / "@modelcontextprotocol" / "sdk").exists():
        commands["TypeScript SDK"] = ["node", _TYPESCRIPT_SDK, _NODE_MODULES]
    for name, command in commands.items():
        url = targets.mcp_url(1)
        finished = subprocess.run(
            pinned(PRODUCT_CORE, [*command, url, str(seconds)]),
            env=clean_environment(PATH=os.environ["PATH"]),
            cwd=_ROOT,
            capture_output=True,
            check=True,
            timeout=seconds + 60,
        )
        rate = float(json.loads(finished.stdout)["visits_per_cpu_second"])
        yield Figure(f"{name}: visits per CPU-second", rate, "visits", remark="the client alone")
        yield Figure(f"mcp: ours / {name}", ours / rate, "x", remark="ours judges and stores too")


def fleets(targets: Targets, counts: list[int], *, interval_s: float) -> Iterator[Figure]:
    """Servers over TLS, each asked once a minute: CPU, memory and lateness of a steady fleet."""
    aims = {10_000: ("< 50", "≤ 300", "≤ 100"), 40_000: ("< 100", "", "≤ 100")}
    for count in counts:
        listed = monitors(
            count, "mcp", lambda n: {"url": targets.mcp_tls_url(n)}, interval_s=interval_s
        )
        config = configuration(listed, egress={"ca_file": str(targets.root)})
        with home() as directory, serving(directory, config) as product:
            until(lambda: not product.unchecked(), within=interval_s * 4, what="all checked")
            # The look at all lists and at sessions that a start brings is over after one more round.
            wait(interval_s)
            meter, since = Meter(product.pid), time.time()
            wait(interval_s)
            share, late = meter.cpu / meter.wall, lateness(product.data, since=since)
            up = product.health()["monitors"].get("up", 0)
            memory = rss_mb(product.pid)
        name = f"{count:,} MCP servers over TLS every {interval_s:g} s"
        cpu, room, lag = aims.get(count, ("", "", ""))
        yield Figure(f"{name}: share of a core", 100 * share, "%", cpu, f"{up} of {count} up")
        yield Figure(f"{name}: memory", memory, "MB", room)
        yield Figure(f"{name}: lateness p99", late.p99, "ms", lag, late.words)
