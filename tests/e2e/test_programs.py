"""Monitors that start programs, under the daemon as its users run it."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.daemon import Daemon
from e2e.processes import until
from servers.programs import is_alive, program, small_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

HANGING = "open(sys.argv[1], 'w').write(str(os.getpid())); sys.stdin.read(); time.sleep(60)"


@contextmanager
def serving(folder: Path, commands: dict[str, list[str]], *, allow: bool) -> Iterator[Daemon]:
    monitors = [
        {"name": name, "kind": "mcp-stdio", "settings": {"command": command}}
        for name, command in commands.items()
    ]
    config = folder / "lifesign.yaml"
    config.write_text(json.dumps({"mcp": {"allow_commands": allow}, "monitors": monitors}))
    with closing(Daemon(folder / "data", config=config)) as daemon:
        daemon.start()
        yield daemon


def states(daemon: Daemon) -> dict[str, Any]:
    return {each["name"]: each["state"] for each in daemon.json("monitor", "ls")}


def test_programs_are_watched_where_the_operator_allows_it(tmp_path: Path) -> None:
    with serving(tmp_path, {"good": small_server()}, allow=True) as daemon:
        until(lambda: states(daemon) == {"good": "up"}, within=30, what="the program to be up")
        shown = daemon.json("monitor", "show", "good")

    assert shown["interval_s"] == 300


def test_programs_are_not_started_where_nobody_allowed_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with serving(tmp_path, {"sly": ["touch", str(made)]}, allow=False) as daemon:
        said = daemon.json("monitor", "run", "sly", expect=2)

    assert said["failure"]["code"] == "not_allowed"
    assert not made.exists()


def test_a_stop_leaves_no_program_behind(tmp_path: Path) -> None:
    up = tmp_path / "up"
    command = [*program(HANGING), str(up)]
    with serving(tmp_path, {"hanging": command}, allow=True) as daemon:
        until(lambda: up.exists() and up.read_text(), within=30, what="the program to run")
        assert daemon.child is not None
        assert daemon.child.terminate(within=20) == 0

    assert not is_alive(int(up.read_text()))
