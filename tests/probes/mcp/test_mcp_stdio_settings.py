"""How a command is written, and how it is shown."""

import pytest
from pydantic import ValidationError

from lifesign.probes.mcp.stdio_settings import StdioSettings, target


def test_one_text_is_split_as_a_shell_would() -> None:
    for given in ("npx -y 'some server'", ["npx -y 'some server'"], ["npx", "-y", "some server"]):
        assert StdioSettings(command=given).command == ("npx", "-y", "some server")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"command": ""}, "at least 1"),
        ({"command": "npx 'unended"}, "no closing quotation"),
        ({"command": ["a\0b", "c"]}, "no NUL"),
        ({"command": "npx", "cwd": "relative"}, "whole path"),
        ({"command": "npx", "env": {"NOT=A": "x"}}, "not a variable's name"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        StdioSettings.model_validate(given)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("npx -y server-everything --verbose", "npx -y server-everything --verbose"),
        ("server --api-key abc123 --port 80", "server --api-key *** --port 80"),
        ("server --token=abc123", "server --token=***"),
        ("docker run -e GITHUB_TOKEN=abc -i img", "docker run -e GITHUB_TOKEN=*** -i img"),
        ("psql-mcp postgres://u:p4ss@db/x", "psql-mcp postgres://***@db/x"),
        ("mcp-remote https://x.example/mcp?key=abc", "https://x.example/mcp?key=***"),
        ("mcp-remote https://x --header 'Authorization: Bearer abc'", "'Authorization: ***'"),
        ("server ghp_abcdefgh12345678", "server ***"),
        ("server envsecret-1", "server ***"),
    ],
)
def test_a_command_line_is_shown_without_keys(command: str, shown: str) -> None:
    settings = StdioSettings(command=command, env={"KEY": "envsecret-1"})

    assert shown in target(settings)
