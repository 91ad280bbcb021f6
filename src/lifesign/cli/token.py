"""`lifesign token`: make, list and revoke the keys of programs."""

from typing import Annotated, Any

import typer

from lifesign.cli.client import AsJSON, Daemon, Data, Place, Url, run
from lifesign.cli.monitor_text import moment
from lifesign.cli.output import clean, emit, emit_json, emit_table, note
from lifesign.core.errors import InvalidError
from lifesign.core.scope import Grant
from lifesign.core.units import parse_duration

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Make, list and revoke API tokens."
)


@app.command()
def create(  # noqa: PLR0917 - Typer calls it by name
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    grant: Annotated[
        Grant, typer.Option(help="read: look; operate: also acknowledge and pause; admin: all.")
    ] = Grant.READ,
    expires: Annotated[
        str, typer.Option(help="How long it is good for, such as 90d; `never` for no end.")
    ] = "90d",
    url: Url = None,
    data: Data = None,
    as_json: AsJSON = False,
) -> None:
    """Make a token. Its secret is printed once, alone on stdout, and never shown again."""
    body = {"name": name, "grant": grant.value, "expires_in": _life(expires)}
    made = run(Place.of(url, data), lambda daemon: daemon.post("/tokens", body), offline=True)
    if as_json:
        emit_json(made)
        return
    end = f"good until {moment(made['expires_at'])}" if made["expires_at"] else "without an end"
    note(f"Token {made['name']} ({made['grant']}), {end}:")
    emit(made["secret"])


@app.command()
def ls(url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """List tokens, without their secrets."""

    async def work(daemon: Daemon) -> list[dict[str, Any]]:
        return await daemon.every("/tokens")

    found = run(Place.of(url, data), work, offline=True)
    if as_json:
        emit_json(found)
        return
    heads = ("TOKEN", "NAME", "GRANT", "STARTS WITH", "EXPIRES", "LAST USED")
    emit_table(heads, [_cells(token) for token in found])


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, from `token ls`.")],
    url: Url = None,
    data: Data = None,
) -> None:
    """End a token at once."""
    run(Place.of(url, data), lambda daemon: daemon.delete(f"/tokens/{token}"), offline=True)
    note(f"Token {token} is revoked.")


def _life(text: str) -> float | None:
    """The life in seconds; raises InvalidError for what is no duration."""
    if text == "never":
        return None
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise InvalidError(f"--expires: {error}.", remedy="Write 90d, 12h or never.") from error


def _cells(token: dict[str, Any]) -> tuple[str, ...]:
    return (
        token["id"],
        clean(token["name"]),
        token["grant"],
        token["prefix"],
        moment(token["expires_at"]),
        moment(token["last_used_at"]),
    )
