"""kill -9 between a confirmed change and what people make of it: nothing is lost, nothing is told twice."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from e2e.daemon import Daemon
from e2e.processes import until
from lifesign.testing import TOOL, FaultyMCP
from servers.background import in_background

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

FETCH = {**TOOL, "name": "fetch", "description": "Fetches a page."}
CONFIG = """\
monitors:
  - name: Shop
    kind: mcp
    target: {url}
    interval: 1s
    timeout: 1s
    policy: {{confirmations: 2, recoveries: 1, recheck: 1s}}
"""


@pytest.fixture
def server() -> Iterator[FaultyMCP]:
    with in_background(lambda: FaultyMCP(tools=[TOOL, FETCH])) as running:
        yield running


@pytest.fixture
def daemon(tmp_path: Path, server: FaultyMCP) -> Iterator[Daemon]:
    config = tmp_path / "lifesign.yaml"
    config.write_text(CONFIG.format(url=server.url), "utf-8")
    with closing(Daemon(tmp_path / "data", config=config)) as daemon:
        daemon.start()
        yield daemon


def surface(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.run("surface", "show", "shop", "--json"))
    return found


def shows(daemon: Daemon, claim: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The surface, as soon as a claim about it holds."""

    def found() -> dict[str, Any] | None:
        seen = surface(daemon)
        return seen if claim(seen) else None

    return until(found, within=30, what="the surface is as expected")


def drift_alerts(daemon: Daemon) -> list[str]:
    alerts = json.loads(daemon.run("alert", "ls", "--all", "--json"))
    return [each["state"] for each in alerts if each["key"].startswith("drift/")]


def test_drift_a_pin_and_their_alert_outlive_a_kill(daemon: Daemon, server: FaultyMCP) -> None:
    shows(daemon, lambda seen: seen["places"])
    daemon.run("surface", "pin", "shop")
    server.redeploy(tools=[TOOL])
    (before,) = shows(daemon, lambda seen: seen["drifted"])["places"]
    daemon.kill()
    daemon.start()
    (after,) = surface(daemon)["places"]
    lines = json.loads(daemon.run("surface", "changes", "shop", "--json"))

    for name in ("digest", "since", "baseline", "baseline_since", "differences"):
        assert after[name] == before[name]
    assert after["pinned"]
    assert [line["accepted_by"] for line in lines] == [""]
    assert drift_alerts(daemon) == ["firing"]

    daemon.run("surface", "accept", "shop")
    daemon.kill()
    daemon.start()
    until(lambda: drift_alerts(daemon) == ["resolved"], within=20, what="the alert resolves")
    accepted = surface(daemon)

    assert (accepted["drifted"], accepted["pinned"]) == (False, True)
