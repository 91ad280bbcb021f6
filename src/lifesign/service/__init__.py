"""The operations: what one can do with Lifesign, once; REST, MCP, web and CLI are its four faces."""
