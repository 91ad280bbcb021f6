"""Visits by the official Python SDK's client, one after another for some seconds: `python -m bench.sdk_visits URL SECONDS`."""

import asyncio
import json
import logging
import resource
import sys
import time

from mcp import Client


async def visit(url: str) -> None:
    """Greet, list the tools, say goodbye."""
    async with Client(url, mode="legacy") as client:
        await client.list_tools()


async def main(url: str, seconds: float) -> None:
    """Warm up, then count."""
    for _ in range(5):
        await visit(url)
    before, began, visits = resource.getrusage(resource.RUSAGE_SELF), time.monotonic(), 0
    while time.monotonic() - began < seconds:
        await visit(url)
        visits += 1
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"visits": visits, "visits_per_cpu_second": visits / used}))


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
