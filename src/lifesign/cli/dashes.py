"""Commands of ours that take another command line: everything after `--`, whole and with its own options."""

from typing import Any

from typer.core import TyperCommand

COMMAND = "lifesign.command"
"""Under which key of the context's `meta` the words after `--` are kept."""


class CommandAfterDashes(TyperCommand):
    """A command of ours whose words after `--` are another command line, kept whole and with its own options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the other command line out, and parse what is ours."""
        if "--" in args:
            at = args.index("--")
            args, ctx.meta[COMMAND] = args[:at], args[at + 1 :]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line, which says so."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND ...]"]
