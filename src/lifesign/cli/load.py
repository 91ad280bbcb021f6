"""`lifesign load URL`: a smoke and capacity test of an MCP server, with the client that the probe has.

Exit code 0: within the limits; 2: not, or the server could not be greeted; 64: wrong usage, or a target that is not
ours to load; 130: interrupted, after what was measured so far was told.
"""

import asyncio
import json
import resource
from typing import Annotated, Any

import typer

from lifesign.cli.access import headers_of, let_in, seconds_of, token_of
from lifesign.cli.load_net import LoadNet
from lifesign.cli.load_run import Job, Load, Measured
from lifesign.cli.load_tally import Held, Tally, hold, limits_of
from lifesign.cli.load_text import as_object, draw
from lifesign.cli.load_work import METHODS, Wish
from lifesign.cli.output import clean, emit, emit_json, note, paint
from lifesign.cli.probe_target import merged
from lifesign.cli.probing import Question, question_of
from lifesign.clock import SystemClock
from lifesign.core.errors import InvalidError
from lifesign.core.model import Failure
from lifesign.net import Net
from lifesign.net.failures import NetError
from lifesign.probes.mcp.plan import Plan
from lifesign.probes.mcp.settings import MCPSettings
from lifesign.probes.registry import ProbeContext, load_kinds, settings_from

MAX_CONCURRENCY = 1000
MAX_DURATION_S = 600.0
MAX_TIMEOUT_S = 60.0
DURATION_S = 10.0
_OWN_FILES = 100
EXIT_FAILED = 2
EXIT_INTERRUPTED = 130

Target = Annotated[
    str, typer.Argument(metavar="URL", help="The MCP server, over HTTP.", show_default=False)
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=MAX_CONCURRENCY, help="So many clients at once.")
]
Duration = Annotated[
    str, typer.Option(help="Go on for this long, at most 10m (default: 10s, without --requests).")
]
Requests = Annotated[
    int | None,
    typer.Option(min=1, help="Stop after so many, or after --duration if that is sooner."),
]
Method = Annotated[
    str,
    typer.Option(
        metavar="|".join(METHODS),
        help="Repeat this in one session a client, instead of whole visits.",
    ),
]
CallTool = Annotated[
    str, typer.Option("--call", metavar="TOOL", help="Repeat calls of this tool instead.")
]
Arguments = Annotated[
    str, typer.Option("--args", metavar="JSON", help="The arguments of the tool, a JSON object.")
]
AllowWrites = Annotated[
    bool, typer.Option("--allow-writes", help="Call a tool that does not say that it only reads.")
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LIMIT",
        help="Exit code 2 when p50, p95, p99 or max>DURATION, or rate<N; repeat it.",
    ),
]
MaxErrorRate = Annotated[
    str, typer.Option(metavar="SHARE", help="Exit code 2 when more than this fail.")
]
Own = Annotated[
    bool,
    typer.Option(
        "--i-own-this-server", help="Load an address that is neither loopback nor private."
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
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting of the kind mcp, as of `lifesign probe`."
    ),
]
Timeout = Annotated[str, typer.Option(help="Time of one visit or request, at most 1m.")]


def load(  # noqa: PLR0917 - Typer calls it by name
    target: Target,
    concurrency: Concurrency = 10,
    duration: Duration = "",
    requests: Requests = None,
    method: Method = "",
    call: CallTool = "",
    args: Arguments = "",
    allow_writes: AllowWrites = False,
    fail_on: FailOn = None,
    max_error_rate: MaxErrorRate = "0%",
    i_own_this_server: Own = False,
    header: Headers = None,
    token_env: TokenEnv = "",
    settings: Settings = None,
    timeout: Timeout = "10s",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask an MCP server as fast as so many clients can, and tell rate, latency and errors.

    It is for servers of your own: only loopback and private addresses are loaded unless you say that it is yours.
    """
    limits = limits_of(fail_on or [], max_error_rate)
    wish = _wish(method, call, args, may_write=allow_writes)
    headers, token = headers_of(header or []), token_of(token_env)
    given = let_in(MCPSettings.model_fields, headers=headers, token=token)
    question = _question(target, given, tuple(settings or ()))
    job = Job(
        wish,
        concurrency,
        duration_s=_duration_s(duration, requests),
        requests=requests,
        timeout_s=seconds_of(timeout, most_s=MAX_TIMEOUT_S),
    )
    _make_room(concurrency)
    if not as_json:
        note(f"Loading {clean(question.target)} with {concurrency} at once; Ctrl-C ends it …")
    try:
        measured = asyncio.run(_measure(question, job, anywhere=i_own_this_server))
    except NetError as error:
        _refuse_strangers(error.failure)
        _tell_failure(question.target, error.failure, as_json=as_json)
        raise typer.Exit(EXIT_FAILED) from None
    if measured is None:
        raise typer.Exit(EXIT_INTERRUPTED)
    held = hold(limits, measured.tally, measured.rate)
    tell = _print_json if as_json else draw
    tell(question.target, job, measured, held)
    raise typer.Exit(_exit_code(measured, held))


def _exit_code(measured: Measured, held: tuple[Held, ...]) -> int:
    if measured.stopped == "interrupted":
        return EXIT_INTERRUPTED
    return 0 if all(each.is_kept for each in held) else EXIT_FAILED


def _print_json(target: str, job: Job, measured: Measured, held: tuple[Held, ...]) -> None:
    emit_json(as_object(target, job, measured, held))


def _wish(method: str, tool: str, args: str, *, may_write: bool) -> Wish:
    if method and tool:
        raise InvalidError("--method and --call name two things to do.", remedy="Give one of them.")
    if method and method not in METHODS:
        raise InvalidError(f"--method is one of {', '.join(METHODS)}.")
    if not tool and (args or may_write):
        raise InvalidError("--args and --allow-writes go with --call TOOL.")
    return Wish(method, tool, _arguments(args), may_write)


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"--args is no JSON: {error}.") from None
    if not isinstance(arguments, dict):
        raise InvalidError("--args is no JSON object.", remedy='Write it like \'{"query": "x"}\'.')
    return arguments


def _duration_s(text: str, requests: int | None) -> float:
    """How long to go on; a number of requests alone may take as long as a test may take at all."""
    if not text:
        return DURATION_S if requests is None else MAX_DURATION_S
    return seconds_of(text, option="--duration", most_s=MAX_DURATION_S)


def _make_room(concurrency: int) -> None:
    """Raise the soft limit of open files where so many connections would not fit; the hard one stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * concurrency + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _question(target: str, given: dict[str, object], pairs: tuple[str, ...]) -> Question:
    kind = load_kinds()["mcp"]
    settings = {**settings_from(kind, target), **given}
    return question_of(kind, merged(settings, pairs), (), None)


async def _measure(question: Question, job: Job, *, anywhere: bool) -> Measured | None:
    """Load with the credential of the settings, which is asked for once and over an ordinary network."""
    settings = question.settings
    if not isinstance(settings, MCPSettings):
        raise InvalidError("Only MCP servers over HTTP can be loaded.")
    plan = Plan.of(settings)
    deadline = asyncio.get_running_loop().time() + job.timeout_s
    context = ProbeContext(net=Net.open(), clock=SystemClock(), deadline=deadline)
    endpoint = plan.with_credential(await plan.credentials.headers(context))
    net = LoadNet.fenced(Tally(), anywhere=anywhere)
    return await Load(job, endpoint, plan.wanted, net).run()


def _refuse_strangers(failure: Failure) -> None:
    """A target that is not ours to load is a wrong command line, and is told how to be a right one."""
    if failure.layer == "egress":
        raise InvalidError(
            f"{failure.message} Only loopback and private addresses are loaded.",
            remedy="If the server is yours, or its owner agreed, add --i-own-this-server.",
        )


def _tell_failure(target: str, failure: Failure, *, as_json: bool) -> None:
    """The first visit failed, so nothing was measured."""
    if as_json:
        told = {
            name: clean(str(getattr(failure, name)))
            for name in ("layer", "code", "message", "remedy")
        }
        emit_json({"target": target, "passed": False, "failure": told})
        return
    emit(f"{paint('■ not loaded', 'red')}  {paint(clean(target), 'bold')}")
    emit(f"\n  {paint(f'{failure.layer}/{failure.code}', 'red')}  {clean(failure.message)}")
    remedy = (
        "Give a credential: --token-env or --header." if failure.layer == "auth" else failure.remedy
    )
    if remedy:
        emit(f"  → {clean(remedy)}")
