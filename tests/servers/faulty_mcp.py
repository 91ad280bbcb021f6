"""The server that Lifesign ships for tests, under the name that our own tests know."""

from lifesign.testing import SESSION, TOOL, Answer, Call, FaultyMCP, Say, error, events, reply

__all__ = ["SESSION", "TOOL", "Answer", "Call", "FaultyMCP", "Say", "error", "events", "reply"]
