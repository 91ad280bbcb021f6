"""The face for assistants: tools over MCP, by Streamable HTTP and by stdio.

Nothing here imports the SDK at this level: it costs some 60 MB, so it is loaded by the first request.
"""
