"""kill -9 loses nothing that was acknowledged; SIGTERM drains."""

import sqlite3
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.daemon import Daemon
from e2e.processes import free_port, until
from e2e.sink import SECRET, Sink, listening

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

JOB = uuid.UUID("6f3a1e57-0c2d-4c7e-9a63-5b3f10f7c6aa")
CONFIG = """\
monitors:
  - name: Gone
    kind: tcp
    target: 127.0.0.1:{dead}
    interval: 1s
    timeout: 1s
    policy: {{confirmations: 2, recoveries: 1, recheck: 1s}}
  - name: Job
    kind: heartbeat
    settings: {{uuid: {job}, period: 1h}}
channels:
  - name: Hook
    kind: webhook
    settings: {{url: "{url}", secret: {secret}}}
routes:
  - name: Everything
    channels: [Hook]
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.fixture
def daemon(tmp_path: Path, sink: Sink) -> Iterator[Daemon]:
    config = tmp_path / "lifesign.yaml"
    config.write_text(
        CONFIG.format(dead=free_port(), job=JOB, url=sink.url, secret=SECRET), "utf-8"
    )
    with closing(Daemon(tmp_path / "data", config=config)) as daemon:
        daemon.start()
        yield daemon


class Job:
    """Pings as fast as it is answered and remembers which pings were acknowledged."""

    def __init__(self, daemon: Daemon) -> None:
        self._url = f"{daemon.url}/ping/{JOB}/log"
        self._over = threading.Event()
        self.acknowledged: list[str] = []
        self.threads = [threading.Thread(target=self._work, args=(i,)) for i in range(4)]
        for thread in self.threads:
            thread.start()

    def _work(self, worker: int) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            mark = f"ping {worker}-{number}."
            try:
                with urllib.request.urlopen(self._url, mark.encode(), timeout=5) as answer:
                    if answer.read() == b"OK":
                        self.acknowledged.append(mark)
            except OSError:
                return

    def stop(self) -> None:
        self._over.set()
        for thread in self.threads:
            thread.join(timeout=10)


def stored_pings(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "lifesign.db")) as database:
        return {bytes(row[0]).decode() for row in database.execute("SELECT body FROM pings")}


def test_kill_9_loses_no_acknowledged_ping_and_no_alert(daemon: Daemon, sink: Sink) -> None:
    sink.gate.clear()
    job = Job(daemon)
    told = until(lambda: sink.of("alert.fired", "Gone"), within=20, what="the first webhook")
    until(lambda: len(job.acknowledged) > 100, within=20, what="a hundred pings")

    daemon.kill()
    job.stop()
    sink.gate.set()
    daemon.start()
    again = until(
        lambda: sink.of("alert.fired", "Gone")[1:], within=20, what="the same webhook again"
    )

    assert len(job.acknowledged) > 100
    assert set(job.acknowledged) - stored_pings(daemon.data) == set()
    assert {one.id for one in again} == {told[0].id}
    assert [alert["monitor_name"] for alert in daemon.json("alert", "ls")] == ["Gone"]
    assert sink.refused == []


def test_sigterm_drains_within_ten_seconds(daemon: Daemon) -> None:
    assert daemon.child is not None
    began = time.monotonic()

    status = daemon.child.terminate(within=10)

    assert status == 0, daemon.child.output
    assert time.monotonic() - began < 10
    assert "Traceback" not in daemon.child.output
