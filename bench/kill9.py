"""kill -9 under a load of pings, over and over: is everything that was acknowledged still there?

`python -m bench.kill9 [ROUNDS]` (PYTHONPATH=src:tests) prints one line a round and exits 1 when a ping was lost.
"""

import asyncio
import random
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.figures import Figure
from bench.load import Request, Tally, post, run_load
from bench.pings import jobs
from bench.product import home, serving

JOBS = 20
CONNECTIONS = 16
LONGEST_ROUND_S = 2.0


def _stored(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "lifesign.db")) as database:
        rows = database.execute("SELECT body FROM pings WHERE body IS NOT NULL")
        return {bytes(row[0]).decode() for row in rows}


def _round(directory: Path, config: str, keys: list[str], *, number: int, after_s: float) -> Tally:
    """One start, a load of pings, kill -9 in the middle of it."""
    with serving(directory, config) as product:
        port = int(product.url.rpartition(":")[2])

        def ping(count: int) -> Request:
            mark = f"round {number} ping {count}"
            return Request(post(f"/ping/{keys[count % JOBS]}", mark, host="127.0.0.1"), mark)

        killer = threading.Timer(after_s, product.child.kill)
        killer.start()
        tally = asyncio.run(
            run_load(port, ping, seconds=LONGEST_ROUND_S + 10, connections=CONNECTIONS)
        )
        killer.join()
    return tally


def rounds(count: int, *, seed: int = 9) -> Iterator[tuple[int, int, int]]:
    """For each round: its number, pings acknowledged so far, acknowledged pings that are lost so far."""
    chance = random.Random(seed)
    keys, config = jobs(JOBS)
    acknowledged: set[str] = set()
    with home() as directory:
        for number in range(1, count + 1):
            after_s = chance.uniform(0.1, LONGEST_ROUND_S)
            tally = _round(directory, config, keys, number=number, after_s=after_s)
            acknowledged |= set(tally.acknowledged)
            lost = acknowledged - _stored(directory / "data")
            yield number, len(acknowledged), len(lost)


def figure(count: int) -> Iterator[Figure]:
    """The sum of all rounds as one figure."""
    _, total, lost = list(rounds(count))[-1]
    remark = f"{total:,} acknowledged over {count} kills"
    yield Figure("acknowledged pings lost to kill -9", lost, "pings", "0", remark)


def main() -> int:
    """Run the rounds that the command line asks for."""
    lost = 0
    for number, acknowledged, lost in rounds(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        print(f"round {number}: {acknowledged:,} acknowledged, {lost} lost", flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
