"""The commands beside a running daemon."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.daemon import Daemon
from e2e.processes import free_port
from e2e.targets import plain_site, running

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with closing(Daemon(tmp_path_factory.mktemp("commanded") / "data")) as daemon:
        daemon.start()
        yield daemon


@pytest.mark.needs("nginx")
def test_probe_tells_a_site_that_is_up_with_its_phases(daemon: Daemon, tmp_path: Path) -> None:
    with running(plain_site(tmp_path)) as (site,):
        seen = daemon.json("probe", site.pasted)
        missed = daemon.json("probe", site.pasted, "--expect", "status == 404", expect=2)

    assert (seen["state"], seen["kind"], seen["failure"]) == ("up", "http", None)
    assert seen["facts"]["status"] == 200
    assert seen["phases_ms"]
    assert missed["failure"]["layer"] == "condition"


def test_probe_tells_why_a_port_is_down(daemon: Daemon) -> None:
    seen = daemon.json("probe", f"127.0.0.1:{free_port()}", "--kind", "tcp", expect=2)

    assert seen["state"] == "down"
    assert (seen["failure"]["layer"], seen["failure"]["reason"]) == ("tcp", "connection_refused")
    assert seen["failure"]["remedy"]


def test_a_monitor_that_is_added_is_listed(daemon: Daemon) -> None:
    daemon.run("monitor", "add", f"127.0.0.1:{free_port()}", "--kind", "tcp", "--name", "Printer")

    listed = daemon.json("monitor", "ls")

    assert [monitor["name"] for monitor in listed] == ["Printer"]


def test_doctor_finds_the_daemon_well(daemon: Daemon) -> None:
    findings = daemon.json("doctor")

    assert findings
    assert [finding for finding in findings if finding["level"] == "fail"] == []
