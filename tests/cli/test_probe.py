"""`lifesign probe` and what every command shares: exit codes, help, one JSON object on stdout."""

import json
import os
import subprocess
import sys

import pytest

from lifesign.cli.main import COMMANDS, execute, exit_code
from lifesign.core import errors
from servers.background import in_background
from servers.faulty_mcp import TOOL, Answer, FaultyMCP, error

KEYS = ["target", "kind", "state", "passed", "failure", "findings", "layers", "phases_ms", "server", "auth",
        "tools", "canaries", "surface", "drift", "facts", "started_at", "duration_ms"]  # fmt: skip


@pytest.fixture
def lifesign(capsys):
    def run(*args: str) -> tuple[int, str, str]:
        code = execute(list(args))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def server():
    with in_background(FaultyMCP) as running:
        yield running


def test_up_is_exit_code_0_and_each_layer_is_a_line(lifesign, server):
    code, out, err = lifesign("probe", server.url)

    assert code == 0
    assert out.startswith(f"● up  {server.url}")
    lines = [line.split()[:2] for line in out.split("\n\n")[1].splitlines()]
    ran = ["DNS", "TCP", "HTTP", "JSON-RPC", "initialize", "version", "initialized", "tools/list"]
    assert [name for shape, name in lines if shape == "●"][: len(ran)] == ran
    assert ["┄", "TLS"] in lines
    assert "Probing" in err


def test_json_is_one_object_and_nothing_else(lifesign, server):
    code, out, err = lifesign("probe", server.url, "--json")

    found = json.loads(out)
    assert (code, err) == (0, "")
    assert list(found) == KEYS
    assert (found["kind"], found["state"], found["failure"]) == ("mcp", "up", None)
    assert found["facts"]["tools.count"] == 1
    assert out.count("\n") == 1


def test_down_is_exit_code_2_with_the_layer_and_what_to_do(lifesign):
    with in_background(lambda: FaultyMCP(tools_list=error(-32603))) as server:
        code, out, _ = lifesign("probe", server.url, "--json")
        _, drawn, _ = lifesign("probe", server.url)

    failure = json.loads(out)["failure"]
    assert code == 2
    assert list(failure) == ["layer", "code", "reason", "message", "remedy", "evidence"]
    assert (failure["layer"], failure["reason"]) == ("tools_list", "protocol_error")
    assert drawn.startswith("■ down")
    assert "■ tools/list" in drawn
    assert f"→ {failure['remedy']}" in drawn


def test_degraded_is_not_up(lifesign):
    with in_background(lambda: FaultyMCP(tools=(TOOL, TOOL))) as server:
        code, out, _ = lifesign("probe", server.url, "--json")
        _, drawn, _ = lifesign("probe", server.url)

    found = json.loads(out)
    assert (code, found["state"]) == (2, "degraded")
    assert [list(one) for one in found["findings"]] == [
        ["level", "layer", "code", "reason", "message", "remedy", "evidence"]
    ]
    assert drawn.startswith("◆ degraded")


def test_a_condition_that_does_not_hold_shows_what_was_found(lifesign, server):
    code, out, _ = lifesign("probe", server.url, "--expect", "tools.count >= 5")

    assert code == 2
    assert "expected  tools.count >= 5" in out
    assert "found     1" in out


def test_every_condition_is_told_in_json(lifesign, server):
    conditions = ["--expect", "tools.count >= 5", "--expect", "framing == sse"]

    found = json.loads(lifesign("probe", server.url, "--json", *conditions)[1])

    assert found["failure"]["layer"] == "condition"
    assert [one["message"] for one in found["findings"]] == ["Expected framing == sse, found json."]


def test_settings_are_given_as_pairs(lifesign, server):
    lifesign("probe", server.url, "--set", "headers.X-Key=1", "--set", "bearer_token=s3cr3t-token")

    sent = server.requests[0].headers
    assert (sent["x-key"], sent["authorization"]) == ("1", "Bearer s3cr3t-token")


def test_a_timeout_is_kept(lifesign):
    with in_background(lambda: FaultyMCP(initialize=Answer(is_silent=True))) as server:
        code, out, _ = lifesign("probe", server.url, "--json", "--timeout", "300ms")

    assert code == 2
    assert json.loads(out)["failure"]["reason"] == "timeout"


@pytest.mark.parametrize(
    "args",
    [
        ["probe"],
        ["probe", "what is this"],
        ["probe", "http://127.0.0.1:1/mcp", "--kind", "nothing"],
        ["probe", "x", "--kind", "heartbeat"],
        ["probe", "http://127.0.0.1:1/mcp", "--expect", "nonsense"],
        ["probe", "http://127.0.0.1:1/mcp", "--expect", "statuss == 200"],
        ["probe", "http://127.0.0.1:1/mcp", "--timeout", "10"],
        ["probe", "http://127.0.0.1:1/mcp", "--timeout", "0"],
        ["probe", "http://127.0.0.1:1/mcp", "--set", "colour"],
        ["probe", "http://127.0.0.1:1/mcp", "--set", "colour=red"],
        ["probe", "http://127.0.0.1:1/mcp", "--colour"],
        ["prob"],
        [],
    ],
)
def test_wrong_usage_is_exit_code_64_and_says_why_on_stderr(lifesign, args):
    code, out, err = lifesign(*args)

    assert (code, out) == (64, "")
    assert len(err) > 20
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://ada:hunter2@shop.example/", "user name or password before the host"),
        ("http://2852039166/", "ambiguous"),
    ],
)
def test_what_cannot_be_probed_is_told_why_without_its_password(lifesign, target, words):
    code, _, err = lifesign("probe", target)

    assert code == 64
    assert words in err
    assert "hunter2" not in err


def test_a_near_miss_is_suggested(lifesign):
    assert "Did you mean 'probe'?" in lifesign("prob")[2]


def test_version(lifesign):
    from lifesign import __version__

    assert lifesign("--version") == (0, f"lifesign {__version__}\n", "")


def test_help_names_every_command_and_imports_none(lifesign):
    code, out, _ = lifesign("--help")

    assert code == 0
    assert [line.split()[0] for line in out.split("Commands:\n")[1].splitlines()] == list(COMMANDS)
    script = (
        "import sys; from lifesign.cli.main import execute; execute(['--help']);"
        "sys.exit(any(name in sys.modules for name in ('pydantic', 'sqlalchemy', 'rich', 'mcp')))"
    )
    finished = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert finished.returncode == 0


@pytest.mark.parametrize(
    ("error_type", "code"),
    [
        (errors.InvalidError, 64),
        (errors.UnauthenticatedError, 3),
        (errors.ForbiddenError, 3),
        (errors.NotFoundError, 4),
        (errors.ConflictError, 5),
        (errors.StaleError, 5),
        (errors.BusyError, 1),
    ],
)
def test_each_error_has_its_exit_code(error_type, code):
    assert exit_code(error_type("No.")) == code


def test_a_reader_that_leaves_is_no_error():
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as broken:
        finished = subprocess.run(
            [sys.executable, "-m", "lifesign", "--help"],
            check=False, stdout=broken, stderr=subprocess.PIPE,
        )  # fmt: skip

    assert finished.stderr == b""


def test_text_of_the_target_cannot_steer_the_terminal(lifesign):
    answer = Answer(429, {"Retry-After": "\x1b[31mred"})
    with in_background(lambda: FaultyMCP(initialize=answer)) as server:
        _, out, _ = lifesign("probe", server.url)

    assert "\x1b" not in out


def test_mcp_stdio_is_the_command_mcp(lifesign):
    assert lifesign("--mcp-stdio", "--help") == lifesign("mcp", "--help")


def test_setting_is_read_from_a_file(lifesign, tmp_path):
    (tmp_path / "body").write_text("no name\n")
    code, _, missing = lifesign("probe", "tcp://127.0.0.1:1", "--set", f"send=@{tmp_path}/none")
    _, _, read = lifesign(
        "probe", "127.0.0.1:1", "--kind", "tls", "--set", f"server_name=@{tmp_path}/body"
    )

    assert code == 64
    assert "cannot be read: No such file or directory." in missing
    assert "'no name'" in read


def test_port_is_understood_whatever_the_kind(lifesign):
    code, out, _ = lifesign("probe", "127.0.0.1:1", "--kind", "tls", "--json")

    assert (code, json.loads(out)["target"]) == (2, "127.0.0.1:1")
