"""MCP servers: discovered or greeted, listed, tried, layer by layer."""

from lifesign.probes.mcp.facts import MCPFacts
from lifesign.probes.mcp.run import watch
from lifesign.probes.mcp.settings import MCPSettings
from lifesign.probes.mcp.stdio_kind import watch_stdio

__all__ = ["MCPFacts", "MCPSettings", "watch", "watch_stdio"]
