"""The official SDK's MCP server as a program: `python sdk_stdio.py`, spoken to over stdin and stdout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from servers.sdk_mcp import build_server

if __name__ == "__main__":
    build_server().run("stdio")
