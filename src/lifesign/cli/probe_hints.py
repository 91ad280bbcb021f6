"""What `lifesign probe` suggests when a guess of its own may have been wrong."""

import re

from lifesign.cli.reports.values import Entry
from lifesign.core.model import State

_REFUSALS = frozenset({404, 405, 406})
"""How MCP endpoints answer a plain GET, and how servers answer beside their endpoint."""
_JSON_RPC = re.compile(r'"jsonrpc"\s*:')
_MCP_WORDS = re.compile(r"(?i)\bmcp\b|model context protocol|text/event-stream")
_SEARCHED_CHARS = 20_000


def hint_of(entry: Entry) -> str:
    """One line for a web address that may have been meant as an MCP server; empty for every other."""
    if entry.question is None or entry.finished is None or entry.question.kind.name != "http":
        return ""
    seen = entry.finished.observation
    body = str(seen.content.get("body", ""))[:_SEARCHED_CHARS]
    speaks = bool(_JSON_RPC.search(body))
    if not speaks and entry.state is not State.UP:
        speaks = seen.facts.get("status") in _REFUSALS or bool(_MCP_WORDS.search(body))
    return "If this is meant to be an MCP server, say so: --kind mcp" if speaks else ""
