"""`lifesign doctor`: what it finds, and what it says to do."""

import asyncio
import sqlite3

import pytest

from lifesign.cli.checks import machine
from lifesign.net.hosts import SystemNames
from lifesign.net.resolve import Resolver


@pytest.fixture
def names_are_here(monkeypatch):
    """Name servers on this machine, where nobody answers."""

    class Local(Resolver):
        def __init__(self):
            super().__init__(SystemNames((("127.0.0.1", 9),), (), 1, {}))

    monkeypatch.setattr(machine, "Resolver", Local)


@pytest.fixture
def doctor(lifesign, request):
    request.getfixturevalue("names_are_here")

    def run(*args):
        told = lifesign("doctor", "--json", *args)
        return told.code, {finding["name"]: finding for finding in told.json}

    return run


def test_a_running_installation_is_well(doctor, daemon):
    code, found = doctor("--data", daemon.data)
    levels = {name: finding["level"] for name, finding in found.items() if name != "names"}

    assert (code, set(levels.values())) == (0, {"ok"}), found
    assert "schema" in found["database"]["text"]
    assert daemon.url in found["daemon"]["text"]


def test_name_servers_that_are_silent_are_a_warning_with_a_fix(doctor, tmp_path):
    code, found = doctor("--data", tmp_path)

    assert (code, found["names"]["level"]) == (0, "warn")
    assert "resolv.conf" in found["names"]["fix"]


def test_a_database_that_is_none_is_a_failure(doctor, tmp_path):
    (tmp_path / "lifesign.db").write_bytes(b"not a database, certainly " * 500)
    code, found = doctor("--data", tmp_path)

    assert (code, found["database"]["level"]) == (1, "fail")
    assert "backup" in found["database"]["fix"]


def test_a_database_of_an_older_schema_is_a_warning(doctor, tmp_path):
    with sqlite3.connect(tmp_path / "lifesign.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
    connection.close()
    _, found = doctor("--data", tmp_path)

    assert found["database"]["level"] == "warn"
    assert "0000" in found["database"]["text"]


def test_a_daemon_file_that_others_can_read_is_a_failure(doctor, tmp_path):
    tmp_path.chmod(0o700)
    file = tmp_path / "daemon.json"
    file.write_text('{"url": "http://127.0.0.1:9", "token": "x", "pid": 1}')
    file.chmod(0o644)
    code, found = doctor("--data", tmp_path)

    assert (code, found["daemon"]["level"]) == (1, "fail")
    assert "chmod 600" in found["daemon"]["fix"]


def test_a_directory_that_others_can_enter_is_a_warning(doctor, tmp_path):
    tmp_path.chmod(0o755)
    _, found = doctor("--data", tmp_path)

    assert found["data"]["level"] == "warn"


@pytest.mark.usefixtures("names_are_here")
def test_for_people_each_line_has_shape_and_word(lifesign, tmp_path):
    told = lifesign("doctor", "--data", tmp_path / "nothing")

    assert "● ok    python" in told.out
    assert "◆ warn  daemon" in told.out


def test_a_check_that_hangs_is_a_failure_and_not_the_end(monkeypatch, tmp_path):
    from lifesign.cli import doctor as module
    from lifesign.cli.client import Place

    async def check_forever(_place):
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "_CHECKS", (check_forever, machine.check_python))
    monkeypatch.setattr(module, "_DEADLINE_S", 0.01)
    found = asyncio.run(module.examine(Place(None, tmp_path, {})))

    assert [(each.name, each.level.value) for each in found] == [
        ("forever", "fail"),
        ("python", "ok"),
    ]
