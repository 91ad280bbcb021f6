"""MCP servers: discovered or greeted, listed, tried, layer by layer."""

from lifesign.probes.mcp.run import watch

__all__ = ["watch"]
