"""What pings cost, each durable before it is acknowledged."""

import asyncio
import uuid
from collections.abc import Iterator

from bench.cost import Meter
from bench.figures import Figure
from bench.load import Request, get, run_load
from bench.product import configuration, home, serving

JOBS = 200
CONNECTIONS = 64


def jobs(count: int) -> tuple[list[str], str]:
    """Ping keys, and the configuration of their heartbeats."""
    keys = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"job {number}")) for number in range(count)]
    listed = [
        {"name": f"job {key[:8]}", "kind": "heartbeat", "settings": {"uuid": key, "period": "1h"}}
        for key in keys
    ]
    return keys, configuration(listed)


def durable(*, seconds: float) -> Iterator[Figure]:
    """Acknowledged pings per CPU-second of the product, over kept-alive connections."""
    keys, config = jobs(JOBS)
    with home() as directory, serving(directory, config) as product:
        port = int(product.url.rpartition(":")[2])

        def ping(number: int) -> Request:
            return Request(get(f"/ping/{keys[number % JOBS]}", host="127.0.0.1"))

        asyncio.run(run_load(port, ping, seconds=1, connections=CONNECTIONS))
        meter = Meter(product.pid)
        tally = asyncio.run(run_load(port, ping, seconds=seconds, connections=CONNECTIONS))
        busy, wall = meter.cpu, meter.wall
    yield Figure(
        "durable pings per CPU-second",
        tally.good / busy,
        "pings",
        "≥ 3,000",
        f"{tally.good / wall:,.0f}/s on {CONNECTIONS} connections; answers {tally.answers}",
    )
