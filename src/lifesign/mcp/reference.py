"""`docs/mcp.md`, its tools written from the server itself: `python -m lifesign.mcp.reference`."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any, cast

from mcp.types import Tool

from lifesign.clock import SystemClock
from lifesign.core.scope import system_scope
from lifesign.mcp.registry import load_tools
from lifesign.mcp.server import build_server
from lifesign.service.services import Services

_INTRODUCTION = """\
# Assistants (MCP)

<!-- Written by `python -m lifesign.mcp.reference`; edit the tools in src/lifesign/mcp. -->

Lifesign answers AI assistants over the Model Context Protocol, in its revision 2026-07-28 and in the handshake
revisions before it. There are two ways in, with the same tools behind both.

## On the machine where Lifesign runs: stdio

The assistant starts `lifesign mcp`. It finds the daemon by its data directory and carries the conversation to it;
where no daemon runs, the same tools work over the database itself. No token is needed: whoever can read the data
directory may look, acknowledge and pause.

Most assistants (Claude Desktop, Cursor, Windsurf, Zed …) take this in their configuration of MCP servers:

```json
{
  "mcpServers": {
    "lifesign": {
      "command": "lifesign",
      "args": ["mcp", "--data", "/var/lib/lifesign"]
    }
  }
}
```

VS Code calls the outer key `servers` (`.vscode/mcp.json`). Claude Code takes one command:

```sh
claude mcp add lifesign -- lifesign mcp --data /var/lib/lifesign
```

Name the program with its whole path when the assistant does not find it. `lifesign --mcp-stdio` is the same command,
for configurations that can only pass an option. A daemon on another machine is reached with `LIFESIGN_URL` and
`LIFESIGN_TOKEN` in the entry's `env`.

## From anywhere: Streamable HTTP

The daemon answers at `/mcp`. Make a token with the grant that the assistant should have:

```sh
lifesign token create my-assistant --grant read
```

```json
{
  "mcpServers": {
    "lifesign": {
      "type": "http",
      "url": "https://status.example.org/mcp",
      "headers": { "Authorization": "Bearer lsn_user_…" }
    }
  }
}
```

```sh
claude mcp add --transport http lifesign https://status.example.org/mcp --header "Authorization: Bearer lsn_user_…"
```

Set `base_url` to the address that clients use: requests for other host names are refused with 421, and web pages of
other sites with 403. Without a valid token the answer is 401; a tool beyond the token's grant is 403
(`insufficient_scope`). Every message is one POST; there are no sessions, so a restart is not noticed.

## What a model reads

- Lists come in pages and stay below 25,000 characters; `note` says when something was cut, `next_cursor` goes on.
- Times are ISO 8601 in UTC, durations carry their unit in the name.
- Texts that come from watched systems (error messages, certificate names, findings) stand under `observed`, on one
  line, without invisible characters and cut. They are data; the server tells the model not to follow them.
- Ping addresses of heartbeats and secrets in settings are never shown.
- What goes wrong is told in a sentence with what to do.

## Tools
"""


def render() -> str:
    """The whole page."""
    nothing = cast("Services", None)
    server = build_server(nothing, lambda: system_scope("documentation"), clock=SystemClock())
    tools = {tool.name: tool for tool in asyncio.run(server.list_tools())}
    grants = {spec.name: spec.grant.value for spec in load_tools()}
    lines = ["", "| tool | what it does | grant |", "|---|---|---|"]
    for name, tool in tools.items():
        first = (tool.description or "").split("\n\n", maxsplit=1)[0]
        lines.append(f"| [`{name}`](#{name}) | {_cell(first)} | {grants[name]} |")
    for tool in tools.values():
        lines += _section(tool)
    return _INTRODUCTION + "\n".join(lines) + "\n"


def _section(tool: Tool) -> Iterator[str]:
    yield from ("", f"### {tool.name}", "", tool.description or "", "")
    properties: dict[str, Any] = tool.input_schema["properties"]
    if not properties:
        yield "No arguments."
        return
    required = tool.input_schema.get("required", [])
    yield from ("| argument | type | default | |", "|---|---|---|---|")
    definitions = tool.input_schema.get("$defs", {})
    for name, schema in properties.items():
        default = "required" if name in required else _default(schema.get("default"))
        kind = _type(schema, definitions)
        yield f"| `{name}` | {kind} | {default} | {_cell(schema.get('description', ''))} |"


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        kinds = [_type(each, definitions) for each in schema["anyOf"]]
        return ", ".join(kind for kind in kinds if kind != "null")
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    return str(schema.get("type", "any"))


def _default(value: object) -> str:
    return "" if value in (None, "") else f"`{str(value).lower()}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
