"""`lifesign surface`: what a monitored server publishes; look, compare, accept, pin, announce releases."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lifesign.cli.client import AsJSON, Daemon, Data, Place, Url, run
from lifesign.cli.monitor import MonitorId
from lifesign.cli.output import emit_json, note
from lifesign.cli.surface_text import print_changes, print_diff, print_releases, print_surface
from lifesign.clock import SystemClock
from lifesign.core.errors import InvalidError
from lifesign.core.units import parse_duration

EXIT_DIFFERENT = 2

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show what a server publishes, accept changes of it, announce releases.",
)
release = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Announce releases, list them, take them back.",
)
app.add_typer(release, name="release")

Pin = Annotated[bool, typer.Option("--pin", help="Let nothing but people and releases move it.")]


@app.command()
def show(monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """Show what is published now, what is accepted, and what differs."""
    place = Place.of(url, data)
    found = run(place, lambda daemon: daemon.get(_path(monitor)), offline=True)
    if as_json:
        emit_json(found)
    else:
        print_surface(found)


@app.command()
def changes(
    monitor: MonitorId,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """List the confirmed changes, newest first."""

    async def work(daemon: Daemon) -> list[dict[str, Any]]:
        page: dict[str, Any] = await daemon.get(f"{_path(monitor)}/changes", limit=limit)
        items: list[dict[str, Any]] = page["items"]
        return items

    found = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
    else:
        print_changes(found)


@app.command()
def diff(  # noqa: PLR0917 - Typer calls it by name
    monitor: MonitorId,
    before: Annotated[str, typer.Argument(help="A digest; the baseline when absent.")] = "",
    after: Annotated[str, typer.Argument(help="A digest; what is published now.")] = "",
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """Compare two surfaces of one server; exit code 2 when they differ. Without digests, the first place that drifted."""

    async def work(daemon: Daemon) -> Any:
        return await daemon.get(f"{_path(monitor)}/diff", before=before, after=after)

    found = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
    else:
        print_diff(found)
    if found["changes"]:
        raise typer.Exit(EXIT_DIFFERENT)


@app.command()
def accept(  # noqa: PLR0917 - Typer calls it by name
    monitor: MonitorId,
    digest: Annotated[
        str, typer.Option(help="A surface of its timeline; what is published now when absent.")
    ] = "",
    pin: Pin = False,
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """Make what is published the baseline: it is drift no longer."""
    body = {"digest": digest, "pin": pin}
    found = run(Place.of(url, data), lambda daemon: daemon.post(f"{_path(monitor)}/accept", body))
    if as_json:
        emit_json(found)
    else:
        print_surface(found)


@app.command()
def pin(monitor: MonitorId, url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """Keep the baseline as it is: time alone never moves it."""
    found = run(Place.of(url, data), lambda daemon: daemon.post(f"{_path(monitor)}/pin"))
    if as_json:
        emit_json(found)
    else:
        print_surface(found)


@app.command()
def unpin(monitor: MonitorId, url: Url = None, data: Data = None) -> None:
    """Let time accept changes again, as the monitor's policy says."""
    run(Place.of(url, data), lambda daemon: daemon.delete(f"{_path(monitor)}/pin"))
    note(f"The baseline of {monitor} is no longer pinned.")


@release.command(name="announce")
def announce(  # noqa: PLR0917 - Typer calls it by name
    monitor: Annotated[
        str, typer.Argument(metavar="[MONITOR]", help="Its id or slug; or give --tag or --group.")
    ] = "",
    lasting: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long, such as 2h; at most 30d.")
    ] = "1h",
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it begins, in RFC 3339; now.")
    ] = None,
    tag: Annotated[str, typer.Option(help="Every monitor with this tag.")] = "",
    group: Annotated[str, typer.Option(help="Every monitor of this group.")] = "",
    digest: Annotated[str, typer.Option(help="The one surface that is expected.")] = "",
    text: Annotated[str, typer.Option("--note", help="What is released.")] = "",
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """Announce a release: what changes meanwhile is accepted without an alert."""
    begins_at = _instant(start) if start else SystemClock().now()
    body = {
        "monitor": monitor,
        "tag": tag,
        "group": group,
        "starts_at": begins_at.isoformat() if start else None,
        "ends_at": (begins_at + _span(lasting)).isoformat(),
        "digest": digest,
        "note": text,
    }
    found = run(Place.of(url, data), lambda daemon: daemon.post("/releases", body))["items"]
    if as_json:
        emit_json(found)
    else:
        print_releases(found)


@release.command(name="ls")
def list_releases(
    monitor: Annotated[str, typer.Option(help="Only those of this monitor (id or slug).")] = "",
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """List announced releases, the latest to begin first."""

    async def work(daemon: Daemon) -> list[dict[str, Any]]:
        return await daemon.every("/releases", monitor=monitor)

    found = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
    else:
        print_releases(found)


@release.command()
def cancel(
    release_id: Annotated[str, typer.Argument(metavar="RELEASE", help="Its id.")],
    url: Url = None,
    data: Data = None,
) -> None:
    """Take a release back; what it accepted stays accepted."""
    run(Place.of(url, data), lambda daemon: daemon.delete(f"/releases/{release_id}"))
    note(f"The release {release_id} is taken back.")


def _path(monitor: str) -> str:
    return f"/monitors/{monitor}/surface"


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidError(
            f"--start {text} is not a time.", remedy="Write it as 2026-11-20T14:00:00Z."
        ) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidError(f"--for cannot be read: {error}.") from None
