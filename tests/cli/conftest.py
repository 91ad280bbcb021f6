"""A real daemon in its own process, and commands in this one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.processes import until
from lifesign.cli.main import execute

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 15.0


@dataclass(frozen=True)
class Told:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Lifesign = Callable[..., Told]


@pytest.fixture
def lifesign(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lifesign:
    """Runs one command line; nothing of this machine's own settings reaches it."""
    for name in [name for name in os.environ if name.startswith("LIFESIGN_")]:
        monkeypatch.delenv(name)

    def run(*args: str | Path) -> Told:
        capsys.readouterr()
        code = execute([str(arg) for arg in args])
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return run


@dataclass(frozen=True)
class Running:
    """A daemon: its data directory and what its file says."""

    data: Path
    url: str
    token: str


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`lifesign serve` on a free port, stopped with SIGTERM."""
    data = tmp_path_factory.mktemp("daemon") / "data"
    command = [sys.executable, "-m", "lifesign", "serve", "--listen", "127.0.0.1:0", "--data", data]
    environ = {name: v for name, v in os.environ.items() if not name.startswith("LIFESIGN_")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ) as process:
        try:
            yield _announced(process, data)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=STOP_DEADLINE_S)


def _announced(process: "subprocess.Popen[bytes]", data: Path) -> Running:
    file = data / "daemon.json"
    until(
        lambda: file.exists() or process.poll() is not None,
        within=START_DEADLINE_S,
        what="the daemon to say where it is",
    )
    if not file.exists():
        pytest.fail(f"The daemon did not start: {process.communicate()[1].decode()}")
    said = json.loads(file.read_text())
    return Running(data, said["url"], said["token"])
