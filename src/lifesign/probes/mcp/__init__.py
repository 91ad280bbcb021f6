"""MCP servers over Streamable HTTP: initialize, initialized, tools/list, layer by layer."""

from lifesign.probes.mcp.run import watch
from lifesign.probes.mcp.settings import MCPFacts, MCPSettings

__all__ = ["MCPFacts", "MCPSettings", "watch"]
