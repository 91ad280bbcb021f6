"""How commands reach Lifesign: a daemon over REST, or the same application in this process.

The daemon is looked for in this order:

1. `--url` or `LIFESIGN_URL`, with the token in `LIFESIGN_TOKEN` or in the file `LIFESIGN_TOKEN_FILE`;
2. `daemon.json` in the data directory (`--data`, `LIFESIGN_DATA`, else `./data`), which a running daemon
   writes for its own user;
3. where a command only reads, or makes a token, and a database lies in the data directory: nobody serves
   it, so the application itself is opened over it for the moment.
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import httpx2
import typer

from lifesign.core.errors import LifesignError
from lifesign.core.scope import Grant, system_scope

T = TypeVar("T")

DAEMON_FILE = "daemon.json"
DATABASE_FILE = "lifesign.db"
_TIMEOUT_S = 30.0
_HELLO_TIMEOUT_S = 2.0
_LOCAL_TOKEN_LIFE = timedelta(minutes=10)

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="LIFESIGN_URL",
        show_envvar=False,
        help="Address of the daemon; give its token in LIFESIGN_TOKEN. [env: LIFESIGN_URL]",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="LIFESIGN_DATA",
        show_envvar=False,
        help="Data directory of the daemon on this machine. [env: LIFESIGN_DATA; default: ./data]",
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class CommandError(LifesignError):
    """A command could not do its work; `status` is that of the answer, and decides the exit code."""

    def __init__(self, message: str, *, remedy: str = "", status: int = 500) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class NoDaemonError(CommandError):
    """Nothing was found that a command could talk to."""


@dataclass(frozen=True, slots=True)
class Found:
    """A daemon: its address, the token for it, and where that was learnt."""

    url: str
    token: str = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look."""

    url: str | None
    data: Path
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, url: str | None, data: Path | None) -> "Place":
        """What the options and the environment of this process say."""
        return cls(url, data or Path("data"), os.environ)


class Daemon:
    """The REST interface, with every refusal as a CommandError that says what to do."""

    def __init__(self, http: httpx2.AsyncClient, where: str) -> None:
        self._http = http
        self.where = where

    async def get(self, path: str, **params: Any) -> Any:
        """What is at `path`; parameters that are None or empty are left out."""
        given = {name: value for name, value in params.items() if value is not None and value != ""}
        return await self._ask("GET", path, params=given)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for something to be made or done."""
        return await self._ask("POST", path, json=body)

    async def delete(self, path: str) -> None:
        """Ask for something to be removed."""
        await self._ask("DELETE", path)

    async def every(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a listing, page after page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, **params, cursor=cursor)
            items += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return items

    async def _ask(self, method: str, path: str, **given: Any) -> Any:
        try:
            response = await self._http.request(method, f"/api/v1{path}", **given)
        except httpx2.HTTPError as error:
            raise CommandError(
                f"Lifesign at {self.where} did not answer: {str(error) or type(error).__name__}.",
                remedy="Check the address, and that `lifesign serve` runs there.",
            ) from error
        if response.is_error:
            _refuse(response)
        if response.status_code == HTTPStatus.NO_CONTENT:
            return None
        try:
            return response.json()
        except ValueError:
            raise CommandError(
                f"What answers at {self.where} is not Lifesign: it sent HTTP {response.status_code} without JSON.",
                remedy="Check the address in --url or LIFESIGN_URL.",
            ) from None


def _refuse(response: httpx2.Response) -> NoReturn:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    said = problem if isinstance(problem, dict) else {}
    detail = str(said.get("detail") or f"Lifesign answered HTTP {response.status_code}.")
    problems = [f"{p['field']}: {p['reason']}" for p in said.get("problems") or ()]
    fields = [f"\n  {problem}" for problem in problems if problem not in detail]
    remedy = str(said.get("remedy") or "")
    if response.status_code == HTTPStatus.UNAUTHORIZED and not remedy:
        remedy = "Set LIFESIGN_TOKEN to a valid token; `lifesign token create` makes one."
    raise CommandError(detail + "".join(fields), remedy=remedy, status=response.status_code)


def run(place: Place, work: Callable[[Daemon], Awaitable[T]], *, offline: bool = False) -> T:
    """Connect, do the work, and give its result; raises LifesignError when either fails.

    `offline` lets the work be done over the database itself when no daemon runs.
    """

    async def connected() -> T | LifesignError:
        async with connect(place, offline=offline) as daemon:
            try:
                return await work(daemon)
            except LifesignError as error:
                # Raised behind the context: a task group within it would wrap the error into a group.
                return error

    result = asyncio.run(connected())
    if isinstance(result, LifesignError):
        raise result
    return result


@asynccontextmanager
async def connect(place: Place, *, offline: bool = False) -> AsyncIterator[Daemon]:
    """The daemon, or the application in this process. Raises NoDaemonError when there is neither."""
    found = await find_daemon(place)
    if found is not None:
        async with http_client(found) as http:
            yield Daemon(http, found.url)
    elif offline and has_database(place):
        async with _in_process(place) as daemon:
            yield daemon
    else:
        raise no_daemon(place, offline=offline)


def http_client(found: Found) -> httpx2.AsyncClient:
    """A client that carries the daemon's token; one on this machine is never asked for through a proxy."""
    return httpx2.AsyncClient(
        base_url=found.url,
        headers={"Authorization": f"Bearer {found.token}"},
        timeout=_TIMEOUT_S,
        trust_env=found.source != DAEMON_FILE,
    )


async def find_daemon(place: Place) -> Found | None:
    """The daemon that is named, or the one that runs on the data directory; None when none does."""
    if place.url:
        return Found(place.url.rstrip("/"), _token(place.environ), "LIFESIGN_URL")
    found = _read_daemon_file(place.data / DAEMON_FILE)
    return found if found is not None and await _answers(found) else None


def _token(environ: Mapping[str, str]) -> str:
    path = environ.get("LIFESIGN_TOKEN_FILE", "")
    token = environ.get("LIFESIGN_TOKEN", "")
    if not token and path:
        try:
            token = Path(path).read_text("utf-8")
        except OSError as error:
            raise CommandError(
                f"The token file {path} cannot be read: {error.strerror}.",
                remedy="Correct LIFESIGN_TOKEN_FILE.",
            ) from error
    if not token.strip():
        raise CommandError(
            "LIFESIGN_URL is set, but no token is.",
            remedy="Set LIFESIGN_TOKEN or LIFESIGN_TOKEN_FILE; on the daemon's machine, "
            "`lifesign token create NAME --grant admin` makes one.",
            status=401,
        )
    return token.strip()


def _read_daemon_file(path: Path) -> Found | None:
    try:
        said = json.loads(path.read_text("utf-8"))
        return Found(str(said["url"]).rstrip("/"), str(said["token"]), DAEMON_FILE)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{path} cannot be used: {error}.",
            remedy="Run as the user that runs `lifesign serve`; if no daemon runs, remove the file.",
        ) from error


async def _answers(found: Found) -> bool:
    """Whether the daemon is there: its file stays behind when it is killed."""
    async with httpx2.AsyncClient(timeout=_HELLO_TIMEOUT_S, trust_env=False) as http:
        try:
            return (await http.get(f"{found.url}/healthz")).is_success
        except httpx2.HTTPError:
            return False


def has_database(place: Place) -> bool:
    """Whether there is something to open without a daemon."""
    return (place.data / DATABASE_FILE).exists() or bool(
        place.environ.get("LIFESIGN_DATABASE_URL")
        or place.environ.get("LIFESIGN_DATABASE_URL_FILE")
    )


def no_daemon(place: Place, *, offline: bool) -> NoDaemonError:
    """What was looked for and what to do."""
    directory = place.data.absolute()
    looked = f"LIFESIGN_URL is not set, and no daemon runs on the data directory {directory}"
    if offline and not has_database(place):
        looked += ", which holds no database either"
    return NoDaemonError(
        f"No running Lifesign was found: {looked}.",
        remedy=f"Start one with `lifesign serve --data {place.data}`, name its directory with --data or "
        "LIFESIGN_DATA, or set LIFESIGN_URL and LIFESIGN_TOKEN.",
    )


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Any]:
    """The application of this process over the data directory: `.asgi`, `.services`; no engine runs."""
    # The whole application costs a second and 100 MB, which a command that finds a daemon need not pay.
    application = importlib.import_module("lifesign.app")
    config = importlib.import_module("lifesign.config")
    logs = importlib.import_module("lifesign.config.logs")
    logs.configure_logging("auto", "warning", stream=sys.stderr)
    written = place.environ.get("LIFESIGN_CONFIG")
    loaded = config.load_config(
        Path(written) if written else None, place.environ, flags={"data": place.data}
    )
    # Without the file that declares them, the file's monitors would be taken for removed.
    async with application.assemble(loaded, declare=False) as app:
        yield app


@asynccontextmanager
async def _in_process(place: Place) -> AsyncIterator[Daemon]:
    async with opened(place) as app:
        people, scope = app.services.people, system_scope("command line")
        token = await people.create_token(
            scope, name="command line", grant=Grant.ADMIN, expires_in=_LOCAL_TOKEN_LIFE
        )
        try:
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app.asgi),
                base_url="http://localhost",
                headers={"Authorization": f"Bearer {token.secret}"},
                timeout=_TIMEOUT_S,
            ) as http:
                yield Daemon(http, str(place.data))
        finally:
            await people.revoke_token(scope, token.id)
