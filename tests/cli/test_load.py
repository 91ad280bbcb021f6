"""`lifesign load`: what it counts, what it refuses, how it ends, and that nothing is left on the server."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from e2e.processes import until
from lifesign.testing import (
    OPEN_TOKEN,
    TOOL,
    Answer,
    Era,
    FaultyMCP,
    Framing,
    Gate,
    Transport,
    error,
)
from net.rawserver import pem, server_context
from servers.background import in_background

KEPT, FAILED, USAGE, INTERRUPTED = 0, 2, 64, 130
READS = TOOL | {"annotations": {"readOnlyHint": True}}
KEYS = [
    "target", "passed", "work", "server", "address", "concurrency", "stopped", "elapsed_s", "requests", "ok", "failed",
    "ok_per_s", "error_rate", "latency_ms", "connections", "sessions", "bytes_sent", "bytes_received", "errors", "limits",
]  # fmt: skip


@pytest.fixture
def server():
    with in_background(lambda: FaultyMCP(tools=[READS])) as running:
        yield running


def test_whole_visits_are_counted_and_leave_nothing(lifesign, server) -> None:
    told = lifesign("load", server.url, "--requests", "40", "--concurrency", "4", "--json")

    said = told.json
    assert (told.code, told.err) == (KEPT, "")
    assert list(said) == KEYS
    assert (said["requests"], said["ok"], said["failed"], said["stopped"]) == (
        40,
        40,
        0,
        "requests",
    )
    assert (said["sessions"], said["connections"], said["address"]) == (40, 40, "127.0.0.1")
    assert said["server"] == "faulty 1.0, 2025-11-25"
    latency = said["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]
    assert min(said["bytes_received"], said["bytes_sent"]) > 40 * 500
    assert server.steps.count("tools_list") == 40
    # One greeting comes before, to look.
    assert server.steps.count("delete") == 41
    assert server.sessions == []


@pytest.mark.parametrize("method", ["ping", "tools/list"])
def test_a_method_is_repeated_in_one_session_each(lifesign, server, method: str) -> None:
    args = ["--method", method, "--requests", "60", "--concurrency", "3"]
    said = lifesign("load", server.url, *args, "--json").json

    assert (said["ok"], said["sessions"], said["connections"]) == (60, 3, 3)
    assert [call.json.get("method") for call in server.requests].count(method) == 60
    assert server.sessions == []


def test_a_session_outlives_the_time_of_one_request(lifesign, server) -> None:
    args = ["--method", "ping", "--timeout", "200ms", "--duration", "700ms", "--concurrency", "1"]
    said = lifesign("load", server.url, *args, "--json").json

    assert (said["stopped"], said["failed"], said["sessions"]) == ("duration", 0, 1)
    assert 0.7 <= said["elapsed_s"] < 2


@pytest.mark.parametrize(
    "ways",
    [{"era": Era.MODERN}, {"transport": Transport.SSE}, {"framing": Framing(is_sse=True)}],
    ids=["modern", "old transport", "sse"],
)
def test_every_era_and_transport_is_loaded(lifesign, ways) -> None:
    with in_background(lambda: FaultyMCP(tools=[READS], **ways)) as server:
        visits = lifesign("load", server.url, "--requests", "9", "--concurrency", "3")
        lists = lifesign("load", server.url, "--requests", "9", "--method", "tools/list")
        calls = lifesign(
            "load", server.url, "--requests", "9", "--call", "echo", "--args", '{"text": "x"}'
        )

    assert (visits.code, lists.code, calls.code) == (KEPT, KEPT, KEPT)
    assert "requests   9 ok, 0 failed (0.00%)" in calls.out


def test_a_tool_is_called_with_its_arguments(lifesign, server) -> None:
    lifesign("load", server.url, "--requests", "5", "--call", "echo", "--args", '{"text": "hello"}')

    calls = [call.json["params"] for call in server.requests if call.step == "tools_call"]
    assert calls == [{"name": "echo", "arguments": {"text": "hello"}}] * 5


def test_only_reading_tools_are_called_unless_told(lifesign) -> None:
    with in_background(lambda: FaultyMCP(tools=[TOOL])) as server:
        refused = lifesign("load", server.url, "--call", "echo", "--requests", "3")
        seen = server.steps.count("tools_call")
        told = lifesign("load", server.url, "--call", "echo", "--requests", "3", "--allow-writes")
        missing = lifesign("load", server.url, "--call", "none", "--requests", "3")

    assert (refused.code, seen, told.code, missing.code) == (USAGE, 0, KEPT, USAGE)
    assert "does not say that it only reads" in refused.err
    assert "lists no tool 'none'" in missing.err
    assert server.sessions == []


def test_errors_are_told_by_class(lifesign) -> None:
    def every_third(call):
        return error(-32603)(call) if call.nth % 3 == 0 else call.faithful()

    with in_background(lambda: FaultyMCP(tools=[READS], tools_call=every_third)) as server:
        args = [
            "--call",
            "echo",
            "--args",
            '{"text": "x"}',
            "--requests",
            "30",
            "--concurrency",
            "1",
        ]
        told = lifesign("load", server.url, *args)
        said = lifesign("load", server.url, *args, "--json", "--max-error-rate", "40%")

    assert (told.code, said.code) == (FAILED, KEPT)
    assert "20 ok, 10 failed (33.33%)" in told.out
    assert "10 × tools_call/error" in told.out
    assert "■ errors 33.33%, at most 0%" in told.out
    (found,) = said.json["errors"]
    assert (found["layer"], found["code"], found["count"]) == ("tools_call", "error", 10)
    # An error of a tool is no reason for a new session.
    assert said.json["sessions"] == 1


def test_a_tool_that_says_that_it_failed_is_an_error(lifesign) -> None:
    with in_background(lambda: FaultyMCP("tools_call/is_error")) as server:
        args = ["--call", "echo", "--requests", "4", "--allow-writes"]
        said = lifesign("load", server.url, *args, "--json").json

    assert [(each["code"], each["count"]) for each in said["errors"]] == [("is_error", 4)]


def test_silence_is_a_class_and_costs_its_time_only(lifesign) -> None:
    with in_background(lambda: FaultyMCP(tools_list=Answer(is_silent=True))) as server:
        args = ["--requests", "2", "--concurrency", "2", "--timeout", "300ms", "--json"]
        told = lifesign("load", server.url, *args)

    assert told.code == FAILED
    assert [(each["code"], each["count"]) for each in told.json["errors"]] == [("hang", 2)]
    assert told.json["latency_ms"] == {"p50": None, "p95": None, "p99": None, "max": None}
    assert told.json["elapsed_s"] < 3


def test_a_server_that_goes_away_is_not_hammered(lifesign) -> None:
    def gone_soon(call):
        return call.faithful() if call.nth <= 2 else Answer(raw=[], then="close")

    with in_background(lambda: FaultyMCP(initialize=gone_soon)) as server:
        args = ["--duration", "600ms", "--concurrency", "2", "--json"]
        said = lifesign("load", server.url, *args).json

    # 50 ms, 100 ms, 200 ms, 400 ms lie between the tries of each client.
    assert 2 <= said["failed"] <= 12


def slowly(call):
    return replace(call.faithful(), delay=0.005)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (["p95>10s", "rate<1"], KEPT),
        (["p50>1ms,max>10s"], FAILED),
        (["rate<1000000"], FAILED),
    ],
)
def test_limits_decide_the_exit_code(lifesign, limits, code: int) -> None:
    with in_background(lambda: FaultyMCP(tools=[READS], tools_list=slowly)) as server:
        flags = [word for limit in limits for word in ("--fail-on", limit)]
        told = lifesign("load", server.url, "--requests", "10", "--concurrency", "1", *flags)

    assert told.code == code
    assert ("■ failed" in told.out) is (code == FAILED)


@pytest.mark.parametrize("target", ["http://93.184.215.14/mcp", "http://[2606:2800:220:1::1]/mcp"])
def test_strangers_are_not_loaded(lifesign, target: str) -> None:
    told = lifesign("load", target, "--requests", "1")

    assert (told.code, told.out) == (USAGE, "")
    assert "Only loopback and private addresses are loaded." in told.err
    assert "--i-own-this-server" in told.err


def test_metadata_services_are_not_loaded_by_anybody(lifesign) -> None:
    told = lifesign("load", "http://169.254.169.254/mcp", "--requests", "1", "--i-own-this-server")

    assert told.code == USAGE
    assert "metadata" in told.err


def test_who_is_not_there_or_asks_for_sign_in_is_not_loaded(lifesign) -> None:
    gone = lifesign("load", "http://127.0.0.1:1/mcp", "--requests", "1")
    with in_background(lambda: FaultyMCP(gate=Gate())) as server:
        walled = lifesign("load", server.url, "--requests", "1", "--json")

    assert (gone.code, walled.code) == (FAILED, FAILED)
    assert "■ not loaded" in gone.out
    assert "tcp/refused" in gone.out
    assert (walled.json["passed"], walled.json["failure"]["code"]) == (False, "required")


def test_credentials_are_sent_and_never_shown(lifesign, monkeypatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", OPEN_TOKEN)
    args = ["--token-env", "LOAD_TOKEN", "--header", "X-Key: s3cr3t-key", "--requests", "3"]
    with in_background(lambda: FaultyMCP(gate=Gate())) as server:
        told = lifesign("load", server.url, *args)
        said = lifesign("load", server.url, *args, "--json")

    assert (told.code, said.code) == (KEPT, KEPT)
    assert {call.headers.get("x-key") for call in server.requests} == {"s3cr3t-key"}
    written = told.out + told.err + said.out + said.err
    assert OPEN_TOKEN not in written
    assert "s3cr3t-key" not in written


def test_tls_is_loaded_too(lifesign, tmp_path: Path) -> None:
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_text(pem(authority))
    tls = server_context(authority.issue_cert("127.0.0.1"))
    with in_background(lambda: FaultyMCP(tls=tls)) as server:
        told = lifesign(
            "load", server.url, "--requests", "5", "--set", f"ca_pem=@{tmp_path}/ca.pem"
        )

    assert told.code == KEPT


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--concurrency", "1001"], "less than or equal to 1000"),
        (["--concurrency", "0"], "greater than or equal to 1"),
        (["--duration", "11m"], "--duration is between 1ms and 600s"),
        (["--timeout", "2m"], "--timeout is between 1ms and 60s"),
        (["--fail-on", "p90>1s"], "is no limit"),
        (["--fail-on", "p95>1"], "has no unit"),
        (["--max-error-rate", "101%"], "is no share"),
        (["--method", "prompts/list"], "--method is one of ping, tools/list"),
        (["--method", "ping", "--call", "x"], "name two things to do"),
        (["--args", "{}"], "go with --call TOOL"),
        (["--call", "x", "--args", "[1]"], "--args is no JSON object"),
        (["--call", "x", "--args", "{"], "--args is no JSON"),
        (["--set", "colour=red"], "colour"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(lifesign, args, why: str) -> None:
    told = lifesign("load", "http://127.0.0.1:1/mcp", *args)

    assert (told.code, told.out) == (USAGE, "")
    assert why in told.err


def test_ping_is_refused_where_there_is_none(lifesign) -> None:
    with in_background(lambda: FaultyMCP(era=Era.MODERN)) as server:
        told = lifesign("load", server.url, "--method", "ping", "--requests", "1")

    assert told.code == USAGE
    assert "has no `ping`" in told.err


def loading(*args: str) -> "subprocess.Popen[bytes]":
    environ = {name: v for name, v in os.environ.items() if not name.startswith("LIFESIGN_")}
    command = [sys.executable, "-m", "lifesign", "load", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)


@pytest.mark.slow
def test_an_interruption_before_anybody_answered_ends_at_once() -> None:
    with (
        in_background(lambda: FaultyMCP("initialize/hang")) as server,
        loading(server.url, "--timeout", "60s") as process,
    ):
        until(lambda: server.steps, within=20.0, what="the first request")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (INTERRUPTED, b"")
    assert b"Traceback" not in err


@pytest.mark.slow
def test_an_interruption_tells_what_was_measured_and_ends_the_sessions() -> None:
    with in_background(lambda: FaultyMCP(tools=[READS])) as server:
        with loading(server.url, "--method", "ping", "--duration", "60s") as process:
            until(lambda: server.steps.count("ping") > 50, within=20.0, what="requests to come")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        left = server.sessions

    assert process.returncode == INTERRUPTED
    assert b"Traceback" not in err
    assert "interrupted" in out.decode()
    assert " ok, 0 failed" in out.decode()
    assert left == []


def test_the_page_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs/load.md").read_text("utf-8")

    assert [key for key in KEYS if f"`{key}`" not in page] == []
