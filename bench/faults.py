"""What trouble costs: targets that hang, and the time from a death to the webhook."""

import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.checks import monitors, wait
from bench.figures import Figure
from bench.lateness import lateness
from bench.product import configuration, home, serving
from bench.targets import Targets
from e2e.processes import until
from e2e.sink import SECRET, listening
from e2e.targets import plain_site, running

HEALTHY = 500
HANG_INTERVAL_S = 5.0


def hanging(targets: Targets, *, seconds: float) -> Iterator[Figure]:
    """The rate of healthy checks, as the healthy target counts them, while others never answer."""
    for share in (0.0, 0.1, 0.5):
        hung = round(HEALTHY * share / (1 - share))
        listed = monitors(
            HEALTHY, "http", lambda n: {"url": targets.http(n)}, interval_s=HANG_INTERVAL_S
        )
        stuck = monitors(
            hung, "http", lambda n: {"url": targets.hanging(n)}, interval_s=HANG_INTERVAL_S
        )
        listed += [monitor | {"name": f"hanging {n}"} for n, monitor in enumerate(stuck)]
        with home() as directory, serving(directory, configuration(listed)) as product:
            wait(HANG_INTERVAL_S * 2)
            before, began, since = _requests(targets), time.monotonic(), time.time()
            wait(seconds)
            seen, took = _requests(targets) - before - 1, time.monotonic() - began
            late = lateness(product.data, since=since)
        wanted = HEALTHY / HANG_INTERVAL_S * took
        name = f"healthy checks done while {share:.0%} of the targets hang"
        yield Figure(name, 100 * seen / wanted, "%", "100", late.words)


def _requests(targets: Targets) -> int:
    """Requests that the plain site has answered so far, this one included."""
    with urllib.request.urlopen(f"http://127.0.0.1:{targets.plain}/count", timeout=5) as answer:
        return int(answer.read().splitlines()[2].split()[2])


def death_to_webhook(directory: Path, *, rounds: int) -> Iterator[Figure]:
    """Seconds from kill -9 of an nginx to the arrival of the signed webhook: interval 1 s, 2 confirmations."""
    took: list[float] = []
    with listening() as sink, running(plain_site(directory)) as (site,), home() as place:
        settings = {"url": sink.url, "secret": SECRET}
        policy = {"confirmations": 2, "recoveries": 1, "recheck": "1s", "flap_changes": 0}
        listed = monitors(1, "http", lambda _: {"url": site.pasted}, interval_s=1, timeout_s=1)
        config = configuration(
            [listed[0] | {"policy": policy}],
            channels=[{"name": "hook", "kind": "webhook", "settings": settings}],
        )
        with serving(place, config) as product:
            for number in range(rounds):
                until(lambda: product.health()["monitors"].get("up"), within=15, what="up")
                wait(0.37 * (number % 3))
                began = time.monotonic()
                site.kill()
                fired = number + 1
                until(lambda n=fired: len(sink.of("alert.fired", "")) >= n, within=15, what="told")
                took.append(time.monotonic() - began)
                site.start()
    yield Figure(
        "death to webhook, worst",
        max(took),
        "s",
        "≤ interval x confirmations + 1 = 3",
        f"median {statistics.median(took):.2f} s of {rounds} rounds",
    )
