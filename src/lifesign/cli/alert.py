"""`lifesign alert`: list alerts and acknowledge them."""

from typing import Annotated, Any

import typer

from lifesign.cli.client import AsJSON, Daemon, Data, Place, Url, run
from lifesign.cli.monitor_text import age, why
from lifesign.cli.output import Colour, clean, emit_json, emit_table, note, paint
from lifesign.core.messages import AlertState
from lifesign.core.model import Severity

_NAME_CHARS = 40
_TITLE_CHARS = 80

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List alerts and acknowledge them."
)


@app.command()
def ls(  # noqa: PLR0917 - Typer calls it by name
    all_of_them: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    severity: Annotated[
        Severity | None, typer.Option(help="The mildest severity that is wanted.")
    ] = None,
    monitor: Annotated[
        str | None, typer.Option(help="Only alerts of this monitor (id or slug).")
    ] = None,
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """List alerts that are not resolved, newest first."""

    async def work(daemon: Daemon) -> list[dict[str, Any]]:
        about = (await daemon.get(f"/monitors/{monitor}"))["id"] if monitor else None
        states = None if all_of_them else [AlertState.FIRING.value, AlertState.ACKNOWLEDGED.value]
        return await daemon.every("/alerts", state=states, severity=severity, monitor_id=about)

    found = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
    else:
        _print(found)


@app.command()
def ack(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Its id, from `alert ls`.")],
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """Say that somebody looks after an alert; it is signed with the name of the token."""
    found = run(Place.of(url, data), lambda daemon: daemon.post(f"/alerts/{alert}/ack"))
    if as_json:
        emit_json(found)
    else:
        _print([found])


def _print(alerts: list[dict[str, Any]]) -> None:
    if not alerts:
        note("There are no such alerts.")
        return
    heads = ("ALERT", "STATE", "SEVERITY", "MONITOR", "FOR", "WHY", "BY")
    emit_table(heads, [_cells(alert) for alert in alerts])


def _cells(alert: dict[str, Any]) -> tuple[str, ...]:
    return (
        alert["id"],
        _state_word(AlertState(alert["state"])),
        alert["severity"],
        clean(alert["monitor_name"], _NAME_CHARS),
        age(alert["opened_at"]),
        clean(why(alert["failure"]) or alert["title"], _TITLE_CHARS),
        clean(alert["acknowledged_by"], _NAME_CHARS),
    )


def _state_word(state: AlertState) -> str:
    shapes: dict[AlertState, tuple[str, Colour]] = {
        AlertState.FIRING: ("■", "red"),
        AlertState.ACKNOWLEDGED: ("◆", "yellow"),
        AlertState.RESOLVED: ("●", "green"),
    }
    shape, colour = shapes[state]
    return paint(f"{shape} {state.value}", colour)
