"""MCP servers over Streamable HTTP: initialize, initialized, tools/list, layer by layer."""
