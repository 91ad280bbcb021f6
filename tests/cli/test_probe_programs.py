"""`lifesign probe -- COMMAND …` and `--config FILE`."""

import json
import sys
from pathlib import Path

import pytest

from servers.background import in_background
from servers.faulty_mcp import FaultyMCP
from servers.programs import program, small_server

SECRET = "hunter2-hunter2"
BROKEN = program("complain('no key: ' + os.environ.get('KEY', 'none')); sys.exit(3)")


@pytest.fixture
def config(tmp_path: Path):
    def write(**servers: object) -> Path:
        path = tmp_path / "mcp.json"
        path.write_text(json.dumps({"mcpServers": servers}))
        return path

    return write


def entry(command: list[str], **more: object) -> dict[str, object]:
    return {"command": command[0], "args": command[1:], **more}


def test_a_command_is_started_and_drawn(lifesign) -> None:
    told = lifesign("probe", "--", *small_server())

    assert told.code == 0
    assert told.out.startswith(f"● up  {sys.executable}")
    assert "● spawn" in told.out
    assert "● initialize" in told.out
    assert "as mcp-stdio" in told.err


def test_options_behind_the_dashes_are_the_commands_own(lifesign) -> None:
    told = lifesign("probe", "--json", "--", "false", "--json", "--kind", "x")

    found = told.json
    assert (told.code, found["kind"], found["state"]) == (2, "mcp-stdio", "down")
    assert found["target"] == "false --json --kind x"
    assert (found["failure"]["layer"], found["failure"]["code"]) == ("stdio", "exited")


def test_the_last_words_of_a_program_are_shown(lifesign) -> None:
    told = lifesign("probe", "--", *BROKEN)

    assert told.code == 2
    assert "■ initialize" in told.out
    assert "stderr: no key: none" in told.out


def test_settings_and_expectations_hold_for_commands_too(lifesign) -> None:
    told = lifesign(
        "probe", "--set", f"env.KEY={SECRET}", "--set", "era=legacy", "--expect", "tools.count >= 1",
        "--json", "--", *small_server(),
    )  # fmt: skip

    assert (told.code, told.json["facts"]["era"]) == (0, "legacy")


def test_one_word_with_blanks_is_one_word(lifesign) -> None:
    told = lifesign("probe", "--json", "--", "/no/My Server")

    assert told.json["failure"]["code"] == "spawn_failed"
    assert "'/no/My Server'" in told.json["failure"]["message"]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ((), "Nothing is given to probe"),
        (("--",), "After -- stands no command"),
        (("https://x.example", "--", "npx"), "More than one thing"),
        (("https://x.example", "--config", "x"), "More than one thing"),
        (("--kind", "http", "--", "npx"), "--kind http takes no command"),
        (("--config", "x", "--set", "a=b"), "do not go with --config"),
        (("--config", "/nowhere/mcp.json"), "No such file"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(lifesign, args, why: str) -> None:
    told = lifesign("probe", *args)

    assert (told.code, told.out) == (64, "")
    assert why in told.err


def test_a_file_is_one_table_and_one_exit_code(lifesign, config) -> None:
    with in_background(FaultyMCP) as server:
        path = config(
            small=entry(small_server()), far={"type": "http", "url": server.url}, off={"command": "x", "disabled": True}
        )  # fmt: skip
        told = lifesign("probe", "--config", path)

    assert told.code == 0
    heads, *rows = told.out.splitlines()
    assert heads.split() == ["SERVER", "STATE", "TIME", "WHAT", "TARGET"]
    assert [row.split()[:3] for row in rows] == [
        ["small", "●", "up"], ["far", "●", "up"], ["off", "–", "skipped"],
    ]  # fmt: skip
    assert "is disabled in the file" in rows[2]
    assert "Probing 2 of 3 servers" in told.err


def test_what_is_wrong_stands_below_the_table_without_secrets(lifesign, config) -> None:
    path = config(
        good=entry(small_server()),
        bad=entry(BROKEN, env={"KEY": SECRET}),
        gone={"url": f"http://127.0.0.1:1/mcp?key={SECRET}", "headers": {"X-Key": SECRET}},
    )
    told = lifesign("probe", "--config", path)

    assert told.code == 2
    assert "stdio/exited" in told.out
    assert "tcp/refused" in told.out
    assert "ended with exit code 3" in told.out
    assert "stderr: no key: [redacted]" in told.out
    assert SECRET not in told.out + told.err


def test_a_file_as_json(lifesign, config) -> None:
    path = config(good=entry(small_server()), later={"command": "${GONE}"})
    told = lifesign("probe", "--config", path, "--json")

    assert (told.code, told.json["config"]) == (0, str(path))
    good, later = told.json["servers"]
    assert (good["name"], good["state"], good["facts"]["tools.count"]) == ("good", "up", 1)
    assert later == {"name": "later", "skipped": "needs the variable GONE, which is not set"}


def test_settings_that_the_probe_refuses_are_skipped_and_said(lifesign, config) -> None:
    path = config(odd={"url": "ftp://x.example"}, good=entry(small_server()))
    told = lifesign("probe", "--config", path)

    assert told.code == 0
    assert "cannot be used: url:" in told.out


def test_a_file_with_nothing_to_probe_is_wrong_usage(lifesign, config) -> None:
    told = lifesign("probe", "--config", config(off={"command": "x", "disabled": True}))

    assert told.code == 64
    assert "off is disabled in the file" in told.err
