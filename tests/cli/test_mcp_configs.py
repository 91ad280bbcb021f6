"""Files of MCP clients: every form is read, nothing secret is told, and errors say where."""

import json
from pathlib import Path

import pytest

from lifesign.cli.jsonc import JSONCError, read_jsonc
from lifesign.cli.mcp_configs import Found, read_config
from lifesign.core.errors import InvalidError

SECRET = "hunter2-hunter2"
STDIO = {"command": "npx", "args": ["-y", "server"], "env": {"KEY": SECRET}}
READ = {"command": ["npx", "-y", "server"], "env": {"KEY": SECRET}}


@pytest.fixture
def read(tmp_path: Path):
    def from_text(text: str | object, name: str = "mcp.json", **environ: str) -> list[Found]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return read_config(path, environ)

    return from_text


@pytest.mark.parametrize(
    "document",
    [
        {"mcpServers": {"one": STDIO}},
        {"mcpServers": {"one": {**STDIO, "type": "stdio", "disabled": False, "autoApprove": []}}},
        {"servers": {"one": STDIO}, "inputs": []},
        {"mcp": {"servers": {"one": STDIO}}, "editor.fontSize": 12},
        {"context_servers": {"one": {**STDIO, "source": "custom", "enabled": True}}},
        {"context_servers": {"one": {"command": {"path": "npx", **STDIO | {"command": 1}}}}},
        {"mcp_servers": {"one": STDIO}},
        {"mcpServers": {"one": {"command": ["npx", "-y", "server"], "env": {"KEY": SECRET}}}},
    ],
    ids=["claude", "cline", "vscode", "vscode-settings", "zed", "zed-old", "codex", "list"],
)
def test_programs_of_every_client_are_read(read, document) -> None:
    [found] = read(document)

    assert (found.name, found.kind, found.settings, found.skipped) == ("one", "mcp-stdio", READ, "")
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "raw",
    [
        {"url": "https://x.example/mcp", "headers": {"X-Key": SECRET}},
        {"type": "http", "url": "https://x.example/mcp", "headers": {"X-Key": SECRET}},
        {"serverUrl": "https://x.example/mcp", "headers": {"X-Key": SECRET}},
        {"httpUrl": "https://x.example/mcp", "headers": {"X-Key": SECRET, "Accept": "*/*"}},
        {"url": "https://x.example/mcp", "http_headers": {"X-Key": SECRET}},
        {"url": "https://x.example/mcp", "requestOptions": {"headers": {"X-Key": SECRET}}},
    ],
    ids=["cursor", "vscode", "windsurf", "gemini", "codex", "continue"],
)
def test_remote_servers_of_every_client_are_read(read, raw) -> None:
    [found] = read({"mcpServers": {"far": raw}})

    expected = {"url": "https://x.example/mcp", "headers": {"X-Key": SECRET}}
    assert (found.kind, found.settings) == ("mcp", expected)
    assert SECRET not in repr(found)


def test_the_old_transport_is_asked_for_by_name(read) -> None:
    [found] = read({"mcpServers": {"far": {"type": "sse", "url": "https://x.example/sse"}}})

    assert found.settings["transport"] == "sse"


def test_continue_keeps_a_list_in_yaml(read) -> None:
    text = """
name: mine
mcpServers:
  - name: one
    command: npx
    args: [-y, server]
    env:
      KEY: ${{ secrets.KEY }}
  - name: far
    type: streamable-http
    url: https://x.example/mcp
"""
    one, far = read(text, "config.yaml", KEY=SECRET)

    assert (one.settings, far.settings["url"]) == (READ, "https://x.example/mcp")


def test_codex_keeps_them_in_toml(read) -> None:
    text = """
[mcp_servers.one]
command = "npx"
args = ["-y", "server"]
env = { KEY = "hunter2-hunter2" }
[mcp_servers.far]
url = "https://x.example/mcp"
bearer_token_env_var = "FAR"
"""
    one, far = read(text, "config.toml", FAR="t")

    assert (one.settings, far.settings["bearer_token"]) == (READ, "t")


def test_projects_of_claude_code_are_read_too(read) -> None:
    found = read(
        {"mcpServers": {"all": STDIO}, "projects": {"/src/shop": {"mcpServers": {"one": STDIO}}}}
    )

    assert [one.name for one in found] == ["all", "shop/one"]


def test_comments_and_last_commas_are_no_matter(read) -> None:
    text = """
// mine
{ "mcpServers": { /* "off": {}, */
    "one": {"command": "npx", "args": ["http://a//b", "/* no */", ], }, // last
  },
}
"""
    [found] = read(text)

    assert found.settings["command"] == ["npx", "http://a//b", "/* no */"]


def test_placeholders_are_filled(read, tmp_path: Path) -> None:
    raw = {
        "command": "${userHome}/bin/server",
        "args": ["${env:A}", "${B}", "${C:-see}", "${workspaceFolder}", "${input:key}", "$D"],
        "env": {"N": 1, "YES": True, "NONE": None},
        "cwd": "sub",
    }
    document = {"servers": {"one": raw}, "inputs": [{"id": "key", "type": "promptString"}]}
    [found] = read(document, ".vscode/mcp.json", A="a", B="b", HOME="/users/me", INPUT_KEY="k")

    assert found.settings == {
        "command": ["/users/me/bin/server", "a", "b", "see", str(tmp_path), "k", "$D"],
        "env": {"N": "1", "YES": "true"},
        "cwd": str(tmp_path / "sub"),
    }


def test_an_input_has_a_default(read) -> None:
    document = {
        "servers": {"one": {"command": "npx", "args": ["${input:a b}"]}},
        "inputs": [{"id": "a b", "type": "pickString", "default": "x"}],
    }
    [found] = read(document)

    assert found.settings["command"] == ["npx", "x"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ({**STDIO, "disabled": True}, "is disabled in the file"),
        ({**STDIO, "enabled": False}, "is disabled in the file"),
        ({"command": "${env:GONE}"}, "needs the variable GONE, which is not set"),
        ({"command": "x", "env": {"K": "${input:api-key}"}}, "give it as the variable INPUT_API_KEY"),
        ({"url": "${config:mcp.url}"}, "uses ${config:mcp.url}, which only its own client can fill"),
        ({"note": "later"}, "has neither a command nor a URL"),
    ],
)  # fmt: skip
def test_what_cannot_be_probed_is_skipped_and_said(read, raw, why: str) -> None:
    [found] = read({"mcpServers": {"one": raw}})

    assert why in found.skipped


def test_a_program_whose_path_has_blanks_stays_one_word(read) -> None:
    [found] = read({"mcpServers": {"one": {"command": "/opt/My Server/run"}}})

    assert found.settings["command"] == ["'/opt/My Server/run'"]


def test_variables_are_read_from_a_file_beside(read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"# mine\nexport KEY='{SECRET}'\n\nOTHER=1\n")
    [found] = read({"servers": {"one": {"command": "x", "envFile": "${workspaceFolder}/.env"}}})

    assert found.settings["env"] == {"KEY": SECRET, "OTHER": "1"}


@pytest.mark.parametrize(
    ("text", "name", "where"),
    [
        ('{\n  "mcpServers": {"a" 1}\n}', "mcp.json", "mcp.json:2:22: This is no JSON"),
        ('{"mcpServers": {"a": "unended}}', "mcp.json", "mcp.json:1:22"),
        ("a: [1\nb: 2", "config.yaml", "config.yaml:2:"),
        ("a = \nb = 1", "config.toml", "line 1, column"),
        ("[]", "mcp.json", "no mapping at its top"),
        ("{}", "mcp.json", "names no MCP servers"),
        ('{"mcpServers": "x"}', "mcp.json", "mcpServers is neither a mapping nor a list"),
        ('{"mcpServers": {"a": 1}}', "mcp.json", "mcpServers.a is no mapping"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y"}}}', "mcp.json", "`args` a list"),
        ('{"mcpServers": {"a": {"command": "x", "env": ["y"]}}}', "mcp.json", "mcpServers.a.env"),
        ("[" * 100_000, "mcp.json", "This is no JSON"),
    ],
)
def test_errors_say_where(read, text: str, name: str, where: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read(text, name)

    assert where in str(caught.value)


def test_no_error_shows_what_a_file_holds(read) -> None:
    for text in (f'{{"mcpServers": {{"a": {SECRET}}}}}', f'{{"mcpServers": {{"a": "{SECRET}"}}}}'):
        with pytest.raises(InvalidError) as caught:
            read(text)
        assert SECRET not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    for name, why in (("gone", "No such file"), ("odd", "not UTF-8"), ("", "directory")):
        with pytest.raises(InvalidError, match=why):
            read_config(tmp_path / name, {})


def test_text_in_quotes_is_left_alone() -> None:
    assert read_jsonc(r'["a//b", "\"/*", "x,]", 1, /* y */ ]') == ["a//b", '"/*', "x,]", 1]
    with pytest.raises(JSONCError):
        read_jsonc("[1 /* unended")
