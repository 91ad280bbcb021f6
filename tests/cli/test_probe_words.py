"""What `lifesign probe` says besides: the server's own words, and what the target may have been meant as."""

import pytest

from lifesign.cli.main import execute
from servers.background import in_background
from servers.faulty_mcp import Answer, FaultyMCP, error


@pytest.fixture
def lifesign(capsys):
    def run(*args: str) -> tuple[int, str, str]:
        code = execute(list(args))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("reply", "is_hinted"),
    [
        (Answer(405), True),
        (Answer(400, {}, b'{"jsonrpc": "2.0", "error": {"code": -32000}}'), True),
        (Answer(400, {}, b"MCP session missing"), True),
        (Answer(500, {}, b"oops"), False),
        (Answer(200, {}, b"a page on MCP"), False),
    ],
)
def test_a_web_address_that_may_be_meant_as_mcp_is_hinted_at(lifesign, reply, is_hinted):
    with in_background(lambda: FaultyMCP(every=reply)) as server:
        url = server.url.removesuffix("/mcp") + "/wrong"
        _, guessed, _ = lifesign("probe", url)
        _, said, _ = lifesign("probe", url, "--kind", "http")

    assert ("--kind mcp" in guessed) is is_hinted
    assert "--kind mcp" not in said


def test_the_words_of_a_json_rpc_error_are_shown_and_hide_secrets(lifesign):
    words = "the database is away, api_key=s3cr3t-value " + "x" * 3000
    with in_background(lambda: FaultyMCP(tools_list=error(-32603, words))) as server:
        _, drawn, _ = lifesign("probe", server.url)

    assert "the database is away" in drawn
    assert "s3cr3t-value" not in drawn
    assert max(map(len, drawn.splitlines())) < 300


def test_a_body_that_is_no_message_is_shown_and_the_path_is_doubted(lifesign):
    with in_background(lambda: FaultyMCP("jsonrpc/not_jsonrpc")) as server:
        _, drawn, _ = lifesign("probe", server.url)

    assert '{"ok":' in drawn
    assert "check the path" in drawn


def test_the_words_of_a_finding_are_shown(lifesign):
    with in_background(lambda: FaultyMCP("resources/error")) as server:
        _, drawn, _ = lifesign("probe", server.url)

    assert "jsonrpc" in drawn.partition("resources/error")[2]


@pytest.mark.parametrize("fault", ["hostile/gzip_bomb", "hostile/large_list"])
def test_what_is_too_large_is_advised_of_as_a_list(lifesign, fault):
    with in_background(lambda: FaultyMCP(fault)) as server:
        _, drawn, _ = lifesign("probe", server.url)

    assert "body_too_large" in drawn
    assert "list" in drawn.rpartition("→")[2]
