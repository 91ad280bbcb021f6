"""The `lifesign` command. Each subcommand is imported when it is used, so that `--help` is instant.

A command is one line in `COMMANDS` and one module: the attribute named there is a function with Typer
annotations, or a `typer.Typer` for a group of commands.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lifesign import __version__
from lifesign.cli.dashes import CommandAfterDashes
from lifesign.core.errors import InvalidError, LifesignError

EXIT_ERROR = 1
EXIT_AUTH = 3
EXIT_NOT_FOUND = 4
EXIT_CONFLICT = 5
EXIT_USAGE = 64
"""EX_USAGE of sysexits.h; 2 is kept for "not up", so that scripts can tell the two apart."""

EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command lives (`module:attribute`), its line in the help, and whether it takes a command after `--`."""

    place: str
    help: str
    takes_command: bool = False


COMMANDS: Mapping[str, Lazy] = MappingProxyType(
    {
        "serve": Lazy("lifesign.cli.serve:serve", "Watch, tell people, answer; the daemon."),
        "probe": Lazy(
            "lifesign.cli.probe:probe",
            "Look at one thing once, layer by layer.",
            takes_command=True,
        ),
        "load": Lazy("lifesign.cli.load:load", "Load an MCP server of your own, and measure it."),
        "monitor": Lazy(
            "lifesign.cli.monitor:app", "Add, list, show, remove, pause, run monitors."
        ),
        "alert": Lazy("lifesign.cli.alert:app", "List alerts and acknowledge them."),
        "surface": Lazy(
            "lifesign.cli.surface:app", "Show what servers publish; accept and announce changes."
        ),
        "token": Lazy("lifesign.cli.token:app", "Make, list and revoke API tokens."),
        "doctor": Lazy(
            "lifesign.cli.doctor:doctor", "Check this installation and say what to mend."
        ),
        "manifest": Lazy(
            "lifesign.cli.manifest:app", "Write down what an MCP server publishes, and compare."
        ),
        "mcp": Lazy("lifesign.cli.mcp:mcp", "Answer an AI assistant over stdio (MCP)."),
    }
)

Command = Any
"""A command as Typer builds it; its click is vendored and private, so it has no public type."""


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and help, and imports one when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, lazy in COMMANDS.items():
            # A stand-in that can be listed and suggested; `resolve_command` gives the real one.
            self.add_command(TyperCommand(name, help=lazy.help, short_help=lazy.help))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`--mcp-stdio`, which some assistants' configurations can only pass as an option, is `mcp`."""
        if args[:1] == ["--mcp-stdio"]:
            args = ["mcp", *args[1:]]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Command, list[str]]:
        """Import the command that is called."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found if found is None or name is None else load_command(name), rest


def load_command(name: str) -> Command:
    """Import a command and build it."""
    module, _, attribute = COMMANDS[name].place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=CommandAfterDashes if COMMANDS[name].takes_command else None)(found)
    return typer.main.get_command(alone)


def _print_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"lifesign {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    mcp_stdio: Annotated[
        bool, typer.Option("--mcp-stdio", help="The same as the command `mcp`.")
    ] = False,
) -> None:
    """Lifesign knows what is alive: it watches, tells people, and answers assistants."""


def build_app() -> typer.Typer:
    """The command line, with nothing of it imported yet."""
    app = typer.Typer(
        name="lifesign",
        cls=LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    return app


def run() -> None:
    """The console entry: runs the command and ends the process with its exit code."""
    sys.exit(execute(sys.argv[1:]))


def execute(args: list[str]) -> int:
    """Run one command line and return its exit code; what goes wrong is told in a sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows a question mark for a shape instead of a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        code = typer.main.get_command(build_app()).main(
            args, prog_name="lifesign", standalone_mode=False
        )
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _give_up_stdout()
        return EXIT_ERROR
    except LifesignError as error:
        return _tell(error)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _tell_usage(error)
    return code if isinstance(code, int) else 0


def _tell(error: LifesignError) -> int:
    sys.stderr.write(f"lifesign: {error}\n")
    if isinstance(error, InvalidError):
        for where, reason in error.problems:
            if reason in error.message:
                # The sentence has said it; what is wrong with a configuration is nothing but its problems.
                continue
            sys.stderr.write(f"  {where}: {reason}\n")
    return exit_code(error)


def exit_code(error: LifesignError) -> int:
    """The exit code of one of our errors, by its status."""
    codes = {401: EXIT_AUTH, 403: EXIT_AUTH, 404: EXIT_NOT_FOUND, 409: EXIT_CONFLICT}
    codes |= {412: EXIT_CONFLICT, 422: EXIT_USAGE}
    return codes.get(error.status, EXIT_ERROR)


def _tell_usage(error: Any) -> int:
    """Show what Typer found wrong with the command line: usage, then the reason."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{error.format_message()}\n")
        return EXIT_USAGE
    if context is not None:
        sys.stderr.write(f"{context.get_usage()}\n")
    sys.stderr.write(f"lifesign: {error.format_message()}\n")
    return EXIT_USAGE


def _give_up_stdout() -> None:
    """Whoever read us has left: let the interpreter's last flush go nowhere instead of failing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
