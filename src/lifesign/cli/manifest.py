"""`lifesign manifest`: the surface of an MCP server as a file in a repository, and the gate that compares the two.

Exit codes: 0 the same, or only allowed changes; 1 one side could not be read; 2 it drifted; 64 wrong usage.
"""

from pathlib import Path
from typing import Annotated

import typer

from lifesign.cli.dashes import COMMAND, CommandAfterDashes
from lifesign.cli.manifest_source import (
    Source,
    UnreadableError,
    access,
    question,
    read,
    read_file,
    read_server,
)
from lifesign.cli.manifest_text import CLASSES, Comparison, as_markdown, as_object, draw
from lifesign.cli.output import clean, emit, emit_json, note
from lifesign.core.drift.compare import compare
from lifesign.core.drift.manifest import dump
from lifesign.core.drift.values import Change
from lifesign.core.errors import InvalidError

EXIT_SAME = 0
EXIT_DRIFT = 2

app = typer.Typer(
    help=(
        "Write down what an MCP server publishes, and compare. Exit code 0: the same or allowed, 2: drift, "
        "1: one side cannot be read, 64: wrong usage."
    ),
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)

Headers = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="'NAME: VALUE'", help="A header for servers at a URL."),
]
TokenEnv = Annotated[
    str,
    typer.Option(metavar="NAME", help="The environment variable that holds the bearer token."),
]
Timeout = Annotated[str, typer.Option(help="Give up on a server after this long.")]
Allow = Annotated[
    str,
    typer.Option(
        metavar="CLASSES",
        help=f"Classes of change that pass, with commas between: {', '.join(CLASSES)}; or none.",
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown for a review.")]
Summary = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append Markdown to this file as well (a job's summary)."),
]
Server = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="The server; or after `--`, the command that starts it.",
        show_default=False,
    ),
]


@app.command(cls=CommandAfterDashes)
def snapshot(  # noqa: PLR0917 - Typer calls it by name
    ctx: typer.Context,
    server: Server = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")
    ] = None,
    header: Headers = None,
    token_env: TokenEnv = "",
    timeout: Timeout = "30s",
) -> None:
    """Write down what the server publishes now, as a manifest."""
    how = access(header or [], token_env, timeout)
    source = read_server(question(server, ctx.meta.get(COMMAND), how))
    text = dump(source.manifest)
    if output is None:
        emit(text.removesuffix("\n"))
        return
    is_new = _write(output, text)
    count, digest = source.manifest.tool_count, source.manifest.digest
    told = f"Wrote {output}" if is_new else f"{output} is up to date"
    note(f"{told}: {count} tools of {clean(source.name)}, {digest}.")


@app.command()
def diff(  # noqa: PLR0917 - Typer calls it by name
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A manifest file or a URL.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A manifest file or a URL.")],
    allow: Allow = "info",
    header: Headers = None,
    token_env: TokenEnv = "",
    timeout: Timeout = "30s",
    as_json: AsJSON = False,
    markdown: AsMarkdown = False,
    summary: Summary = None,
) -> None:
    """Tell what changed between two manifests or servers."""
    allowed, how = (
        _classes(allow, formats=(as_json, markdown)),
        access(header or [], token_env, timeout),
    )
    old = read(before, how)
    new = read(after, how)
    found = Comparison(old, new, _changes(old, new), allowed)
    _summarise(found, summary)
    _conclude(found, as_json=as_json, markdown=markdown)


@app.command(cls=CommandAfterDashes)
def check(  # noqa: PLR0917 - Typer calls it by name
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The manifest in the repository.")],
    server: Server = "",
    allow: Allow = "info",
    header: Headers = None,
    token_env: TokenEnv = "",
    timeout: Timeout = "30s",
    as_json: AsJSON = False,
    markdown: AsMarkdown = False,
    summary: Summary = None,
) -> None:
    """Compare what the server publishes now with FILE, and fail when more changed than is allowed."""
    allowed, how = (
        _classes(allow, formats=(as_json, markdown)),
        access(header or [], token_env, timeout),
    )
    asked = question(server, ctx.meta.get(COMMAND), how)
    old, new = read_file(file), read_server(asked)
    found = Comparison(old, new, _changes(old, new), allowed)
    _summarise(found, summary)
    _conclude(found, as_json=as_json, markdown=markdown)


def _changes(old: Source, new: Source) -> tuple[Change, ...]:
    return compare(old.manifest.document, new.manifest.document)


def _summarise(found: Comparison, path: Path | None) -> None:
    """Append the comparison to a file as Markdown, as CI systems have it for the summary of a job."""
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(as_markdown(found) + "\n")
    except OSError as refusal:
        raise UnreadableError(f"{path} cannot be written: {refusal.strerror}.") from None


def _conclude(found: Comparison, *, as_json: bool, markdown: bool) -> None:
    """Tell what came of it, and end with its exit code."""
    if as_json:
        emit_json(as_object(found))
    elif markdown:
        emit(as_markdown(found))
    else:
        draw(found)
    raise typer.Exit(EXIT_DRIFT if found.refused else EXIT_SAME)


def _classes(allow: str, *, formats: tuple[bool, bool]) -> frozenset[str]:
    """What passes; the options are looked at before any server is asked."""
    if all(formats):
        raise InvalidError("Ask for --json or for --markdown.")
    named = {word.strip() for word in allow.split(",") if word.strip()} - {"none"}
    unknown = sorted(named - set(CLASSES))
    if unknown:
        raise InvalidError(
            f"--allow does not know {clean(', '.join(unknown), 80)}.",
            remedy=f"The classes are: {', '.join(CLASSES)}; or none.",
        )
    return frozenset(named)


def _write(path: Path, text: str) -> bool:
    """Write the file unless it says the same already; whether it was written."""
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        path.write_text(text, "utf-8", newline="\n")
    except OSError as refusal:
        raise UnreadableError(f"{path} cannot be written: {refusal.strerror}.") from None
    return True
