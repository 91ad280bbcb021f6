"""`make bench`: measure the whole product on one core, targets on another, and print the figures.

make bench                       all of it, about twenty minutes
make bench ARGS="checks pings"   some of it: checks, blackbox, mcp, fleets, rest, hanging, death, pings, kill9
make bench ARGS="--quick --json" shorter windows and smaller sizes, as JSON
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import checks, faults, kill9, mcp, pings
from bench.figures import Figure, document, machine, table
from bench.product import TARGET_CORE
from bench.targets import Targets, targets

Measure = Callable[[], Iterator[Figure]]


def measures(site: Targets, directory: Path, *, quick: bool) -> dict[str, Measure]:
    """What can be measured, by name."""
    seconds = 5 if quick else 15
    sizes = [100, 1_000] if quick else [100, 1_000, 10_000, 50_000]
    fleets = [1_000] if quick else [10_000, 40_000]
    interval_s = 10 if quick else 60
    return {
        "checks": lambda: checks.per_cpu_second(site, seconds=seconds),
        "blackbox": lambda: checks.blackbox(site, seconds=seconds),
        "mcp": lambda: mcp.per_cpu_second(site, seconds=seconds),
        "fleets": lambda: mcp.fleets(site, fleets, interval_s=interval_s),
        "rest": lambda: checks.at_rest(site, sizes, interval_s=interval_s),
        "hanging": lambda: faults.hanging(site, seconds=2 * seconds),
        "death": lambda: faults.death_to_webhook(directory, rounds=3 if quick else 9),
        "pings": lambda: pings.durable(seconds=seconds),
        "kill9": lambda: kill9.figure(3 if quick else 10),
    }


def ratios(figures: list[Figure]) -> Iterator[Figure]:
    """Ours against the exporter, when both were measured in this run."""
    by_name = {figure.name: figure.value for figure in figures}
    ours = by_name.get("http checks per CPU-second")
    theirs = by_name.get("blackbox exporter, http probes per CPU-second")
    if ours and theirs:
        remark = "ours schedules, judges and stores as well"
        yield Figure("http: ours / blackbox exporter", ours / theirs, "x", "", remark)


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="what to measure; all when absent")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="shorter windows, smaller sizes")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {TARGET_CORE % (os.cpu_count() or 1)})
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as directory, targets(Path(directory)) as site:
        known = measures(site, Path(directory), quick=asked.quick)
        unknown = set(asked.names) - set(known)
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        for name in asked.names or known:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            for figure in known[name]():
                print(
                    f"  {figure.name}: {figure.value:.1f} {figure.unit} {figure.remark}",
                    file=sys.stderr,
                    flush=True,
                )
                figures.append(figure)
    figures += ratios(figures)
    print(document(figures) if asked.json else f"{machine()}\n\n{table(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
