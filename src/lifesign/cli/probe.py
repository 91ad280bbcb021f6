"""`lifesign probe TARGET`: the real probe, once, drawn layer by layer or as a report for programs and CI.

`lifesign probe -- COMMAND …` starts an MCP server and probes it over stdio; `--config FILE` probes what a file names.

Exit code 0 means up (a server that properly asks for sign-in is), 2 not up or what `--fail-on` names, 1 that a baseline
or report could not be read or written, 64 that the command line cannot be used.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from lifesign.cli.access import headers_of, seconds_of, token_of
from lifesign.cli.dashes import COMMAND
from lifesign.cli.manifest_source import Source, read_file
from lifesign.cli.output import clean, note
from lifesign.cli.probe_config import probe_config
from lifesign.cli.probe_target import Asked, canaries_in, question_for
from lifesign.cli.probe_text import draw
from lifesign.cli.probing import Question, ask
from lifesign.cli.reports.drift import against
from lifesign.cli.reports.values import Entry, Report, blames_of
from lifesign.cli.reports.writing import Wanted, deliver, wanted_of
from lifesign.core.errors import InvalidError

EXIT_NOT_UP = 2

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A URL, host:port, or MCP endpoint; after `--`, the command of an MCP server over stdio.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Probe every server in an MCP client's file (mcp.json and others)."
    ),
]
KindName = Annotated[
    str | None, typer.Option(help="What to take it for, when the guess would be wrong.")
]
Expect = Annotated[
    list[str] | None,
    typer.Option(metavar="COND", help="A condition that must hold, such as 'status == 200'."),
]
Timeout = Annotated[
    str, typer.Option(help="Give up after this long (default: 10s, and 30s for a command).")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the kind; maps as key.name=value; KEY=@FILE reads it from a file.",
    ),
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="'NAME: VALUE'", help="A header to send; kept secret."),
]
TokenEnv = Annotated[
    str,
    typer.Option(metavar="NAME", help="The environment variable that holds the bearer token."),
]
CanaryFile = Annotated[
    list[Path] | None,
    typer.Option("--canary", metavar="FILE", help="Call the tools that this YAML file names."),
]
Baseline = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Compare what is published with this manifest."),
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="What gives exit code 2 besides down: degraded (when not given), drift, finding; with commas or "
        "repeated. `down` alone lets the others pass.",
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsJUnit = Annotated[bool, typer.Option("--junit", help="Print JUnit XML.")]
AsSARIF = Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write that to this file instead of printing it."
    ),
]
Reports = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="FORMAT=FILE",
        help="Write json, junit, sarif or markdown to a file as well; may be repeated.",
    ),
]
Summary = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append Markdown to this file as well (a job's summary)."),
]


def probe(  # noqa: PLR0917 - Typer calls it by name
    ctx: typer.Context,
    target: Target = "",
    config: ConfigFile = None,
    kind: KindName = None,
    as_json: AsJSON = False,
    junit: AsJUnit = False,
    sarif: AsSARIF = False,
    markdown: AsMarkdown = False,
    output: Output = None,
    report: Reports = None,
    summary: Summary = None,
    expect: Expect = None,
    canary: CanaryFile = None,
    baseline: Baseline = None,
    fail_on: FailOn = None,
    header: Headers = None,
    token_env: TokenEnv = "",
    timeout: Timeout = "",
    settings: Settings = None,
) -> None:
    """Probe TARGET once. Exit code 0: up, 2: not up or what --fail-on names, 64: wrong usage."""
    flags = {"json": as_json, "junit": junit, "sarif": sarif, "markdown": markdown}
    wanted = wanted_of(flags, report or [], output=output, summary=summary)
    failing = blames_of(fail_on or [], has_baseline=baseline is not None)
    timeout_s = seconds_of(timeout) if timeout else None
    command: list[str] | None = ctx.meta.get(COMMAND)
    _require_one(target, command, config)
    asked = Asked(
        target=target,
        command=command,
        kind=kind,
        settings=tuple(settings or ()),
        headers=headers_of(header or []),
        token=token_of(token_env),
        expect=tuple(expect or ()),
        canaries=tuple(each for path in canary or [] for each in canaries_in(path)),
        timeout_s=timeout_s,
    )
    if config is not None:
        _require_nothing_else(asked, baseline)
        entries = probe_config(
            config, expect=asked.expect, timeout_s=timeout_s, is_quiet=bool(wanted.printed)
        )
        _conclude(Report(entries, failing, str(config)), wanted)
    question = question_for(asked)
    accepted = read_file(baseline) if baseline is not None else None
    if not wanted.printed:
        note(f"Probing {clean(question.target)} as {question.kind.name} …")
    _conclude(Report((_probed(question, accepted),), failing, is_guessed=kind is None), wanted)


def _probed(question: Question, baseline: Source | None) -> Entry:
    finished = asyncio.run(ask(question))
    compared = None if baseline is None else against(baseline, finished.observation)
    return Entry(question.target, question, finished, compared=compared)


def _conclude(report: Report, wanted: Wanted) -> None:
    """Tell what came of it, and end with its exit code."""
    if not wanted.printed:
        draw(report)
    deliver(report, wanted)
    raise typer.Exit(0 if report.has_passed else EXIT_NOT_UP)


def _require_one(target: str, command: list[str] | None, config: Path | None) -> None:
    given = [bool(target), command is not None, config is not None]
    if command == []:
        raise InvalidError(
            "After -- stands no command.", remedy="Write it there, with its options."
        )
    if sum(given) != 1:
        what = (
            "Nothing is given to probe"
            if not any(given)
            else "More than one thing is given to probe"
        )
        remedy = "Give either a TARGET, or a command after --, or --config FILE."
        raise InvalidError(f"{what}.", remedy=remedy)


def _require_nothing_else(asked: Asked, baseline: Path | None) -> None:
    if asked.kind is not None or asked.settings or asked.headers or asked.token:
        raise InvalidError(
            "--kind, --set, --header and --token-env do not go with --config, whose file says all that."
        )
    if asked.canaries or baseline is not None:
        raise InvalidError(
            "--canary and --baseline do not go with --config.",
            remedy="They are about one server: probe it by its own.",
        )
