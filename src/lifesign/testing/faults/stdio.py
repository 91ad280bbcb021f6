"""Faults of a program that speaks MCP on its standard streams; `lifesign.testing.stdio` acts them out."""

from lifesign.testing.faults.fault import Fault, Where


def _of(code: str, what: str) -> Fault:
    return Fault(f"stdio/{code}", what, where=Where.STDIO)


STDIO: tuple[Fault, ...] = (
    _of("exited", "writes a reason to stderr and exits with status 3 before it answers."),
    _of(
        "stdout_pollution",
        "writes lines to stdout that are no messages, before and between its replies.",
    ),
    _of("no_reply", "reads its requests and never answers."),
    _of("too_much_output", "writes one line to stdout that never ends."),
    _of("grandchild", "starts a program of its own that outlives it and holds its streams open."),
    _of("deaf", "ignores SIGTERM and the end of its stdin."),
)
