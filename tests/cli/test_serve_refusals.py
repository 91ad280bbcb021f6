"""What `lifesign serve` refuses to start with, in one sentence each and never with a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def serve(*args: str | Path) -> "subprocess.CompletedProcess[str]":
    """A start that is expected to be refused; one that goes on is ended as a failure."""
    environ = {name: v for name, v in os.environ.items() if not name.startswith("LIFESIGN_")}
    command = [sys.executable, "-m", "lifesign", "serve", "--listen", "127.0.0.1:0", *args]
    return subprocess.run(
        command, env=environ, text=True, capture_output=True, check=False, timeout=30
    )


def test_second_daemon_on_a_data_directory_is_refused(daemon) -> None:
    before = (daemon.data / "daemon.json").read_bytes()

    told = serve("--data", daemon.data)

    assert told.returncode == 1
    assert "Another Lifesign (process " in told.stderr
    assert (daemon.data / "daemon.json").read_bytes() == before


def test_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()

    told = serve("--data", file)

    assert told.returncode == 1
    assert told.stderr.startswith(f"lifesign: The data directory {file} cannot be used: ")


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        (None, "No such file or directory"),
        ("no certificate", "it holds no certificate in PEM form"),
        ("schlüssel", "it holds no certificate in PEM form"),
    ],
)
def test_authorities_that_cannot_be_read_are_refused_with_their_place(
    tmp_path: Path, pem: str | None, reason: str
) -> None:
    roots, config = tmp_path / "roots.pem", tmp_path / "lifesign.yaml"
    if pem is not None:
        roots.write_text(pem, "utf-8")
    config.write_text(f"egress:\n  ca_file: {roots}\n")

    told = serve("--data", tmp_path / "data", "--config", config)

    assert told.returncode == 64
    assert told.stderr == (
        f"lifesign: {config}:2:3: egress.ca_file: The file {roots} cannot be used: {reason}.\n"
    )


def test_wrong_setting_is_told_once(tmp_path: Path) -> None:
    config = tmp_path / "lifesign.yaml"
    config.write_text("lisen: 127.0.0.1:80\nlimits:\n  per_hots: 3\n")

    told = serve("--data", tmp_path / "data", "--config", config)

    assert told.returncode == 64
    assert told.stderr.count("lisen: There is no such setting.") == 1
    assert told.stderr.count("per_hots: There is no such setting.") == 1
