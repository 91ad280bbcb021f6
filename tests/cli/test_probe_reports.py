"""The reports of `lifesign probe`: every format read back, held against its schema, and never steered by a server."""

import json
import re
from pathlib import Path

import pytest
import trustme

from cli.report_shapes import is_red, require_junit, require_sarif
from lifesign.cli.reports.values import Blame
from lifesign.cli.reports.writing import FORMATS
from lifesign.testing import OPEN_TOKEN, TOOL, Era, FaultyMCP, Gate
from net.rawserver import pem, server_context
from servers.background import in_background

UP, FAILED, ERROR, USAGE = 0, 2, 1, 64
HOSTILE = "\x1b]0;owned\x07\x00\ufffe\u202e]]><script>|`**@all** https://x.example"
HOSTILE_TOOL = TOOL | {"name": "a\x1b[31m|<b>\u202e", "inputSchema": {"type": "nonsense"}}

SERVERS = {
    "up": {},
    "modern": {"era": Era.MODERN},
    "sign-in": {"gate": Gate()},
    "twice": {"tools": [TOOL, TOOL]},
    "bad schema": {"fault": "shape/schema_invalid"},
    "hang": {"fault": "tools_list/hang"},
    "refused": {"fault": "tcp/refused"},
    "bare 401": {"fault": "auth/bare_401"},
}
CODES = {
    "up": UP, "modern": UP, "sign-in": UP, "twice": FAILED, "bad schema": FAILED, "hang": FAILED, "refused": FAILED,
    "bare 401": FAILED,
}  # fmt: skip


@pytest.fixture(params=SERVERS)
def any_server(request):
    with in_background(lambda: FaultyMCP(**SERVERS[request.param])) as running:
        yield request.param, running


def test_every_format_says_what_the_exit_code_says(lifesign, tmp_path: Path, any_server) -> None:
    name, server = any_server
    files = {form: tmp_path / form for form in ("json", "junit", "sarif", "markdown")}
    reports = [f"--report={form}={path}" for form, path in files.items()]

    told = lifesign("probe", server.url, "--timeout", "800ms", *reports)

    assert told.code == CODES[name]
    said = {form: path.read_text("utf-8") for form, path in files.items()}
    assert json.loads(said["json"])["passed"] is (told.code == UP)
    assert is_red(require_junit(said["junit"])) is (told.code != UP)
    run = require_sarif(said["sarif"])
    assert run["invocations"][0]["exitCode"] == told.code
    assert any(each["level"] != "note" for each in run["results"]) is (told.code != UP)
    assert ("check failed" in said["markdown"]) is (told.code != UP)


@pytest.mark.parametrize("fail_on", ["down", "degraded", "finding"])
def test_cases_fail_when_the_command_does(lifesign, any_server, fail_on: str) -> None:
    _, server = any_server

    told = lifesign("probe", server.url, "--timeout", "800ms", "--junit", "--fail-on", fail_on)

    assert is_red(require_junit(told.out)) is (told.code == FAILED)


def test_sign_in_is_healthy_and_said(lifesign) -> None:
    with in_background(lambda: FaultyMCP(gate=Gate())) as server:
        told = lifesign("probe", server.url, "--fail-on", "finding")
        said = lifesign("probe", server.url, "--json").json

    assert told.code == UP
    assert "sign-in    required, and asked for as it should be (Bearer, " in told.out
    assert (said["state"], said["auth"]["state"], said["auth"]["scheme"]) == (
        "up",
        "required",
        "Bearer",
    )
    assert (said["tools"], said["surface"], said["server"]) == (None, None, None)


def test_a_person_sees_who_answered(lifesign) -> None:
    tools = [TOOL | {"name": f"tool_{number}"} for number in range(14)]
    with in_background(lambda: FaultyMCP(tools=tools)) as server:
        out = lifesign("probe", server.url).out

    assert "  server     faulty 1.0\n" in out
    assert "  protocol   2025-11-25, legacy era, over http with a session\n" in out
    assert "  sign-in    not asked for\n" in out
    assert "  tools      14: tool_0, tool_1, " in out
    assert "tool_11 and 2 more\n" in out
    assert re.search(r"  surface    v1:[0-9a-f]{64}\n", out)


def test_json_has_the_parts(lifesign) -> None:
    with in_background(FaultyMCP) as server:
        said = lifesign("probe", server.url, "--json").json

    assert said["server"] == {
        "name": "faulty", "version": "1.0", "protocol_version": "2025-11-25", "era": "legacy", "transport": "http",
        "framing": "json", "session": True, "capabilities": ["tools"],
    }  # fmt: skip
    assert (said["tools"]["count"], said["tools"]["names"]) == (1, ["echo"])
    assert said["surface"]["digest"] == said["facts"]["surface.digest"]
    assert set(said["surface"]["hashes"]) == {
        "names",
        "struct",
        "contract",
        "full",
        "tools",
        "surface",
    }
    assert [layer["name"] for layer in said["layers"] if layer["state"] == "ok"][-1] == "shape"


def test_the_evidence_is_in_json_and_junit(lifesign) -> None:
    with in_background(lambda: FaultyMCP("http/server_error")) as server:
        failure = lifesign("probe", server.url, "--json").json["failure"]
        root = require_junit(lifesign("probe", server.url, "--junit").out)

    assert failure["evidence"].startswith("HTTP 500")
    (broken,) = root.iter("failure")
    assert broken.attrib["type"] == "http/server_error"
    assert "HTTP 500" in broken.text


@pytest.mark.parametrize("form", ["text", "json", "junit", "sarif", "markdown"])
def test_no_text_of_a_server_steers_any_format(lifesign, form: str) -> None:
    arguments = [] if form == "text" else [f"--{form}"]
    with in_background(lambda: FaultyMCP(tools=[HOSTILE_TOOL])) as server:
        server.redeploy(release=HOSTILE)
        out = lifesign("probe", server.url, *arguments).out

    assert ("31m|<b>" if form == "sarif" else "owned") in out
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    if form == "json":
        assert json.loads(out)["tools"]["names"] == [HOSTILE_TOOL["name"]]
    if form == "junit":
        require_junit(out)
    if form == "sarif":
        require_sarif(out)
    if form == "markdown":
        assert not re.search(r"<(?!/?sub>)|(?<!\\)\*\*@|@all|(?<!&#47;)https://|\S://", out)


def test_one_format_goes_to_a_file_and_a_person_sees_the_rest(lifesign, tmp_path: Path) -> None:
    with in_background(FaultyMCP) as server:
        told = lifesign("probe", server.url, "--junit", "-o", tmp_path / "out.xml")

    assert told.code == UP
    assert told.out.startswith("● up")
    require_junit((tmp_path / "out.xml").read_text("utf-8"))


def test_a_summary_is_appended(lifesign, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n")
    with in_background(FaultyMCP) as server:
        lifesign("probe", server.url, "--summary", summary)
        lifesign("probe", server.url, "--summary", summary)

    text = summary.read_text("utf-8")
    assert text.startswith("# Before\n### 🟢 up: ")
    assert text.count("### 🟢 up") == 2


def test_a_report_that_cannot_be_written_is_an_error(lifesign, tmp_path: Path) -> None:
    with in_background(FaultyMCP) as server:
        told = lifesign("probe", server.url, "--report", f"junit={tmp_path}/no/out.xml")

    assert told.code == ERROR
    assert "cannot be written: No such file or directory." in told.err


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--json", "--sarif"], "Only one of --json and --sarif can be printed"),
        (["-o", "x"], "-o does not say in which format"),
        (["--report", "junit"], "not of the form FORMAT=FILE"),
        (["--report", "pdf=x"], "The formats are: json, junit, sarif, markdown"),
        (["--fail-on", "rain"], "--fail-on does not know rain"),
        (["--fail-on", ","], "--fail-on does not know nothing"),
        (["--fail-on", "drift"], "Give --baseline FILE"),
        (["--header", "nothing"], "'Name: value'"),
        (["--token-env", "NO_SUCH_VARIABLE"], "empty or not set"),
        (["--canary", "/no/such/file"], "--canary: /no/such/file cannot be read"),
    ],
)
def test_wrong_options_are_told_before_anything_is_asked(lifesign, args, why: str) -> None:
    told = lifesign("probe", "http://127.0.0.1:1/mcp", *args)

    assert (told.code, told.out) == (USAGE, "")
    assert why in told.err


def test_credentials_are_for_kinds_that_take_them(lifesign) -> None:
    header = lifesign("probe", "tcp://127.0.0.1:1", "--header", "X-Key: hunter2")
    program = lifesign("probe", "--header", "X-Key: hunter2", "--", "true")

    assert (header.code, program.code) == (USAGE, USAGE)
    assert "--header is for what is asked over HTTP" in header.err
    assert "hunter2" not in header.err + program.err


def test_credentials_are_sent_and_never_shown(lifesign, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROBE_TOKEN", OPEN_TOKEN)
    files = {form: tmp_path / form for form in ("json", "junit", "sarif", "markdown")}
    args = [
        "--token-env",
        "PROBE_TOKEN",
        "--header",
        "X-Key: s3cr3t-key",
        "--summary",
        tmp_path / "s",
    ]
    args += [f"--report={form}={path}" for form, path in files.items()]
    with in_background(lambda: FaultyMCP(gate=Gate())) as server:
        told = lifesign("probe", server.url, *args)

    assert told.code == UP
    assert "sign-in    the credential is taken" in told.out
    assert server.requests[0].headers["x-key"] == "s3cr3t-key"
    written = told.out + told.err + "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    assert OPEN_TOKEN not in written
    assert "s3cr3t-key" not in written


def test_a_refused_credential_is_not_shown_by_what_the_server_says(lifesign, monkeypatch) -> None:
    monkeypatch.setenv("PROBE_TOKEN", "wrong-token-1234")
    with in_background(lambda: FaultyMCP(gate=Gate())) as server:
        told = lifesign("probe", server.url, "--token-env", "PROBE_TOKEN", "--json")

    assert (told.code, told.json["failure"]["code"]) == (FAILED, "token_rejected")
    assert "wrong-token-1234" not in told.out + told.err


def test_tls_is_probed_with_an_authority_from_a_file(lifesign, tmp_path: Path) -> None:
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_text(pem(authority))
    tls = server_context(authority.issue_cert("127.0.0.1"))
    with in_background(lambda: FaultyMCP(tls=tls)) as server:
        trusted = lifesign("probe", server.url, "--set", f"ca_pem=@{tmp_path}/ca.pem", "--junit")
        strange = lifesign("probe", server.url, "--sarif")

    assert (trusted.code, strange.code) == (UP, FAILED)
    assert not is_red(require_junit(trusted.out))
    (result,) = require_sarif(strange.out)["results"]
    assert (result["ruleId"].split("/")[0], result["level"]) == ("tls", "error")


def test_the_page_names_every_key_and_word(lifesign) -> None:
    page = (Path(__file__).parents[2] / "docs/probe.md").read_text("utf-8")
    with in_background(FaultyMCP) as server:
        said = lifesign("probe", server.url, "--json").json

    words = [*said, *said["server"], *said["surface"], *FORMATS, *Blame]
    assert [word for word in words if f"`{word}`" not in page] == []
