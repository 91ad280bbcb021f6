"""Writes the tables of `docs/testing.md`: every switch, and every code that has none."""

from lifesign.testing.faults import ELSEWHERE, FAULTS

_PLACES = {
    "tcp": "Connections",
    "tls": "Connections",
    "http": "HTTP",
    "auth": "Authentication",
    "credential": "Authentication",
    "jsonrpc": "Envelope",
    "discover": "Handshake",
    "initialize": "Handshake",
    "tools_list": "Tool list",
    "shape": "Shape of tools",
    "tools_call": "Tool calls",
    "resources": "Resources, prompts, completions",
    "prompts": "Resources, prompts, completions",
    "completion": "Resources, prompts, completions",
    "session": "Sessions and streams",
    "health_url": "Health URL",
    "stdio": "Programs on stdio",
    "hostile": "Servers that mean harm",
}


def render() -> str:
    """What stands below the mark of the page."""
    groups: dict[str, list[str]] = {}
    for code, found in FAULTS.items():
        row = f"| `{code}` | The server {found.what} | {found.needs} |"
        groups.setdefault(_PLACES[code.partition("/")[0]], []).append(row)
    parts = []
    for title, rows in groups.items():
        head = ["| switch | what happens | seen only by |", "| --- | --- | --- |"]
        parts.append("\n".join([f"\n### {title}\n", *head, *rows]))
    reasons = [f"| `{code}` | {reason} |" for code, reason in ELSEWHERE.items()]
    head = ["\n### Not a server's fault\n", "| code | how it is brought about |", "| --- | --- |"]
    return "\n".join([*parts, *head, *reasons]) + "\n"
