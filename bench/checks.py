"""What checks cost: per CPU-second and kind, against the blackbox exporter, and how late they run."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import outside
from bench.cost import Meter, rss_mb
from bench.figures import Figure
from bench.lateness import lateness
from bench.load import Request, get, run_load
from bench.product import PRODUCT_CORE, Product, configuration, home, pinned, serving
from bench.targets import Targets
from e2e.processes import Child, clean_environment, free_port, until

Settings = Callable[[int], Mapping[str, Any]]

Load = tuple[int, str, Settings, list[str]]
"""Checks a second to ask for, kind, settings of the n-th, conditions."""

WARM_UP_S = 8.0
BLACKBOX_CONNECTIONS = 16
_EXPORTER = "modules: {http_2xx: {prober: http, timeout: 5s}}\n"


def wait(seconds: float) -> None:
    """Let a measuring window pass."""
    Event().wait(seconds)


def monitors(
    count: int, kind: str, settings: Settings, *, interval_s: float, timeout_s: float = 5
) -> list[dict[str, Any]]:
    """That many monitors of a kind; `settings(n)` gives those of the n-th."""
    return [
        {
            "name": f"{kind} {number}",
            "kind": kind,
            "settings": settings(number),
            "interval": f"{interval_s * 1000:g}ms",
            "timeout": f"{timeout_s:g}s",
        }
        for number in range(count)
    ]


def kinds(targets: Targets) -> dict[str, Load]:
    """Label → checks a second to ask for, kind, settings and conditions."""
    http = ["status == 200", 'json("$.queue.depth") < 100', "latency_ms < 1000"]
    return {
        "http": (2500, "http", lambda n: {"url": targets.http(n)}, http),
        "https": (700, "http", lambda n: {"url": targets.https(n)}, ["tls.days_left > 7"]),
        "tcp": (2500, "tcp", lambda n: _host_port(targets.http(n)), []),
    }


def _host_port(url: str) -> dict[str, Any]:
    host, port = url.split("/")[2].split(":")
    return {"host": host, "port": int(port)}


def per_cpu_second(targets: Targets, *, seconds: float) -> Iterator[Figure]:
    """The whole product at a rate that one core carries: every kind on its own."""
    aims = {"http": "≥ 3,000", "https": "≥ 900"}
    yield from rates(targets, kinds(targets), aims, seconds=seconds)


def rates(
    targets: Targets, kinds: Mapping[str, Load], aims: Mapping[str, str], *, seconds: float
) -> Iterator[Figure]:
    """Checks per CPU-second of each load on its own."""
    for label, (rate, kind, settings, conditions) in kinds.items():
        listed = monitors(rate, kind, settings, interval_s=1)
        listed = [monitor | {"conditions": conditions} for monitor in listed]
        with home() as directory, serving(directory, _config(targets, listed)) as product:
            wait(WARM_UP_S)
            since = time.time()
            runs, busy, wall = _measured(product, seconds)
            up = product.health()["monitors"].get("up", 0)
            late = lateness(product.data, since=since)
        remark = f"{runs / wall:,.0f}/s on {busy / wall:.0%} of a core, {up} of {rate} up"
        remark += f", late p99 {late.p99:.1f} ms"
        yield Figure(
            f"{label} checks per CPU-second", runs / busy, "checks", aims.get(label, ""), remark
        )


def _config(targets: Targets, listed: list[dict[str, Any]]) -> str:
    return configuration(listed, egress={"ca_file": str(targets.root)})


def _measured(product: Product, seconds: float) -> tuple[int, float, float]:
    """Runs, CPU-seconds and wall seconds of one window."""
    before, meter = product.health()["runs_total"], Meter(product.pid)
    wait(seconds)
    busy, wall = meter.cpu, meter.wall
    return product.health()["runs_total"] - before, busy, wall


def blackbox(targets: Targets, *, seconds: float) -> Iterator[Figure]:
    """The same http probe through Debian's prometheus-blackbox-exporter, which neither schedules nor stores."""
    try:
        exporter = outside.path_of("blackbox-exporter")
    except LookupError:
        return
    with home() as directory, _exporter(exporter, directory) as (child, port):
        meter = Meter(child.pid)

        def probe(number: int) -> Request:
            path = f"/probe?module=http_2xx&target={targets.http(number)}"
            return Request(get(path, host="127.0.0.1"))

        tally = asyncio.run(
            run_load(port, probe, seconds=seconds, connections=BLACKBOX_CONNECTIONS)
        )
        yield Figure(
            "blackbox exporter, http probes per CPU-second",
            tally.good / meter.cpu,
            "probes",
            remark="probing alone; the same target in the same run",
        )


@contextmanager
def _exporter(exporter: str, directory: Path) -> Iterator[tuple[Child, int]]:
    path, port = directory / "blackbox.yml", free_port()
    path.write_text(_EXPORTER, "utf-8")
    command = [exporter, f"--config.file={path}", f"--web.listen-address=127.0.0.1:{port}"]
    environment = clean_environment(GOMAXPROCS="1")
    with Child(pinned(PRODUCT_CORE, command), environment=environment) as child:
        child.listens(port)
        yield child, port


def at_rest(targets: Targets, counts: list[int], *, interval_s: float) -> Iterator[Figure]:
    """Memory, lateness, CPU, and seconds from a start to every monitor checked, at several sizes."""
    for count in counts:
        listed = monitors(count, "http", lambda n: {"url": targets.http(n)}, interval_s=interval_s)
        with home() as directory:
            with serving(directory, _config(targets, listed)) as product:
                first_ready = time.monotonic() - product.started
                until(lambda: not product.unchecked(), within=interval_s * 2, what="all checked")
            with serving(directory) as product:
                yield from _rested(product, count, interval_s=interval_s, first_ready=first_ready)


def _rested(
    product: Product, count: int, *, interval_s: float, first_ready: float
) -> Iterator[Figure]:
    ready = time.monotonic() - product.started
    until(
        lambda: product.health()["runs_total"] >= count, within=interval_s * 2, what="all checked"
    )
    checked = time.monotonic() - product.started
    meter, since = Meter(product.pid), time.time()
    wait(min(interval_s, 30))
    busy, wall, late = meter.cpu, meter.wall, lateness(product.data, since=since)
    name = f"{count:,} monitors every {interval_s:g} s"
    aims = {100: "≤ 150", 1_000: "≤ 150", 10_000: "≤ 300"}
    yield Figure(f"{name}: memory", rss_mb(product.pid), "MB", aims.get(count, ""))
    yield Figure(
        f"{name}: lateness p99",
        late.p99,
        "ms",
        "≤ 50",
        late.words,
    )
    yield Figure(f"{name}: share of a core", 100 * busy / wall, "%", "< 100")
    remark = f"ready after {ready:.1f} s; the very first start after {first_ready:.1f} s"
    yield Figure(
        f"{name}: restart to all checked", checked, "s", f"≤ {interval_s:g} + start", remark
    )
