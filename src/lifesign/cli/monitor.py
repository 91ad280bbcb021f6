"""`lifesign monitor`: add, list, show, remove, pause, resume and run monitors."""

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lifesign.cli.client import AsJSON, CommandError, Daemon, Data, Place, Url, run
from lifesign.cli.latency_text import print_latency
from lifesign.cli.monitor_text import print_monitor, print_monitors, print_run
from lifesign.cli.output import emit_json, note
from lifesign.core.errors import InvalidError
from lifesign.core.messages import AlertState
from lifesign.core.model import Severity, State
from lifesign.core.units import parse_duration
from lifesign.core.wording import MONITOR

EXIT_NOT_UP = 2
_SORTS = ("worst", "name", "kind")
_RUN_GRACE_S = 15.0
"""Beyond the monitor's own time-out: the queue before it and the commit behind it."""
_POLL_S = 0.2

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Add, list, show, remove, pause, resume and run monitors.",
)

MonitorId = Annotated[str, typer.Argument(metavar="MONITOR", help="Its id or slug.")]


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="What to watch: a URL, host:port, a name … or a job's name."
    ),
]
KindName = Annotated[
    str | None, typer.Option(help="http, tcp, tls, dns, mcp, heartbeat; guessed when absent.")
]
Name = Annotated[str | None, typer.Option(help="What people call it; the target.")]
Interval = Annotated[
    str | None, typer.Option(help="How often, such as 30s; the kind's own when absent.")
]
Timeout = Annotated[str | None, typer.Option(help="How long one run may take.")]
Expected = Annotated[
    list[str] | None,
    typer.Option(metavar="COND", help="A condition, such as 'status == 200'; may be repeated."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the kind, JSON or text; KEY=@FILE reads it from a file. May be repeated.",
    ),
]
Tags = Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag; may be repeated.")]
Group = Annotated[str | None, typer.Option(help="The heading it is listed under.")]
HowMuch = Annotated[Severity | None, typer.Option(help="How much its alerts matter [high].")]
Paused = Annotated[bool, typer.Option("--paused", help="Do not watch it yet.")]


@app.command()
def add(  # noqa: PLR0917 - Typer calls it by name
    target: Target,
    kind: KindName = None,
    name: Name = None,
    interval: Interval = None,
    timeout: Timeout = None,
    expect: Expected = None,
    settings: Settings = None,
    tag: Tags = None,
    group: Group = None,
    severity: HowMuch = None,
    paused: Paused = False,
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """Watch something new."""
    draft: dict[str, Any] = {
        "target": target,
        "kind": kind,
        "name": name,
        "interval": _duration("--interval", interval),
        "timeout": _duration("--timeout", timeout),
        "conditions": expect,
        "settings": parse_settings(settings or []),
        "tags": tag,
        "group": group,
        "severity": severity,
        "paused": paused or None,
    }
    body = {key: value for key, value in draft.items() if value not in (None, {}, [])}
    added = run(Place.of(url, data), lambda daemon: _add(daemon, body))
    if as_json:
        emit_json(added)
        return
    print_monitor(added)
    if added["ping_url"]:
        note("Let the job report to the address above, for example with curl -fsS.")


@app.command()
def ls(  # noqa: PLR0917 - Typer calls it by name
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    sort: Annotated[str, typer.Option(help="worst, name or kind.")] = "worst",
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """List monitors, worst first."""
    if sort not in _SORTS:
        raise InvalidError(f"--sort {sort} is not known.", remedy="Use worst, name or kind.")

    async def work(daemon: Daemon) -> list[dict[str, Any]]:
        return await daemon.every("/monitors", state=state, kind=kind, tag=tag, sort=sort)

    found = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
    else:
        print_monitors(found)


@app.command()
def show(monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """Show one monitor with its last run, and with the alerts that are open beside its state."""

    async def work(daemon: Daemon) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        found = await daemon.get(f"/monitors/{monitor}")
        states = [AlertState.FIRING.value, AlertState.ACKNOWLEDGED.value]
        alerts = (
            [] if as_json else await daemon.every("/alerts", state=states, monitor_id=found["id"])
        )
        return found, [alert for alert in alerts if alert["key"].partition("/")[0] != MONITOR]

    found, concerns = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
    else:
        print_monitor(found, concerns)


@app.command()
def latency(
    monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False
) -> None:
    """Show percentiles of 24 h, 7 d and 30 d by phase, and what is usual."""
    place = Place.of(url, data)
    found = run(place, lambda daemon: daemon.get(f"/monitors/{monitor}/latency"), offline=True)
    if as_json:
        emit_json(found)
    else:
        print_latency(found)


@app.command()
def rm(
    monitor: MonitorId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    data: Data = None,
) -> None:
    """Remove a monitor with its history."""
    if not yes and not sys.stdin.isatty():
        raise InvalidError(
            f"{monitor} is not removed: there is no terminal to ask on.",
            remedy="Say --yes to remove it with everything known about it.",
        )
    if not yes:
        typer.confirm(f"Remove {monitor} and everything known about it?", abort=True, err=True)
    run(Place.of(url, data), lambda daemon: daemon.delete(f"/monitors/{monitor}"))
    note(f"{monitor} is removed.")


@app.command()
def pause(monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """Stop watching for now: no checks, no alerts."""
    _change(monitor, "pause", Place.of(url, data), as_json=as_json)


@app.command()
def resume(monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """Watch again."""
    _change(monitor, "resume", Place.of(url, data), as_json=as_json)


@app.command(name="run")
def run_now(
    monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False
) -> None:
    """Check now and show the result; exit code 0 up, 2 not up."""
    result = run(Place.of(url, data), lambda daemon: _run_and_wait(daemon, monitor))
    if as_json:
        emit_json(result)
    else:
        print_run(result)
    if result["state"] != State.UP:
        raise typer.Exit(EXIT_NOT_UP)


def _duration(option: str, text: str | None) -> str | None:
    """The text itself; a bare number is refused here as everywhere, for seconds and minutes look alike in it."""
    if text is not None:
        try:
            parse_duration(text)
        except ValueError as error:
            raise InvalidError(f"{option} cannot be read: {error}.") from None
    return text


async def _add(daemon: Daemon, draft: dict[str, Any]) -> Any:
    """Add it; what reports by itself has no target, so that the word given for one is its name."""
    if "kind" in draft:
        passive = {kind["name"] for kind in await daemon.every("/kinds") if kind["passive"]}
        if draft["kind"] in passive:
            target = draft.pop("target")
            draft = {"name": target} | draft
    return await daemon.post("/monitors", draft)


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` pairs as nested settings; values are JSON where they can be, text otherwise.

    `auth.username=ada` goes into `auth`; `KEY=@FILE` is the file's text without its last line end, which
    keeps secrets off the command line. Raises InvalidError for anything else.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise InvalidError(
                f"--set {key or pair!r} has no value.", remedy="Write --set KEY=VALUE."
            )
        *parents, last = key.split(".")
        inner = settings
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise InvalidError(f"--set {key}: {parent} is a value already.")
        inner[last] = _value(key, text)
    return settings


def _value(key: str, text: str) -> object:
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_text("utf-8").removesuffix("\n")
        except OSError as error:
            raise InvalidError(
                f"--set {key}: {text[1:]} cannot be read: {error.strerror}."
            ) from error
    try:
        return json.loads(text)
    except ValueError:
        return text


def _change(monitor: str, verb: str, place: Place, *, as_json: bool) -> None:
    changed = run(place, lambda daemon: daemon.post(f"/monitors/{monitor}/{verb}"))
    if as_json:
        emit_json(changed)
    else:
        print_monitors([changed])


async def _run_and_wait(daemon: Daemon, monitor: str) -> dict[str, Any]:
    """Ask for a run and wait until it is stored. Raises CommandError when it takes too long."""
    found = await daemon.get(f"/monitors/{monitor}")
    if found["paused"]:
        raise CommandError(
            f"{found['name']} is paused.",
            remedy=f"Resume it first: lifesign monitor resume {monitor}.",
            status=409,
        )
    before = await _newest(daemon, found["id"])
    await daemon.post(f"/monitors/{found['id']}/run")
    note(f"Checking {found['name']} …")
    deadline_s = found["timeout_s"] + _RUN_GRACE_S
    try:
        async with asyncio.timeout(deadline_s):
            return await _newer(daemon, found["id"], than=before)
    except TimeoutError:
        raise CommandError(
            f"No result of {found['name']} arrived within {deadline_s:.0f} s.",
            remedy="Look at `lifesign doctor` and at the daemon's log.",
        ) from None


async def _newer(daemon: Daemon, monitor_id: str, *, than: dict[str, Any] | None) -> dict[str, Any]:
    """The first run that is stored after `than`."""
    while True:
        newest = await _newest(daemon, monitor_id)
        if newest is not None and (than is None or _started(newest) > _started(than)):
            return newest
        await asyncio.sleep(_POLL_S)


async def _newest(daemon: Daemon, monitor_id: str) -> dict[str, Any] | None:
    page = await daemon.get(f"/monitors/{monitor_id}/runs", limit=1)
    return page["items"][0] if page["items"] else None


def _started(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(found["started_at"])
