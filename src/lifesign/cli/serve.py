"""`lifesign serve`: one process that watches, tells and answers, until it is told to stop."""

import asyncio
import fcntl
import gc
import json
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn

from lifesign import __version__
from lifesign.app import Application, assemble
from lifesign.clock import SystemClock
from lifesign.config import Loaded, load_config
from lifesign.config.logs import configure_logging
from lifesign.core.errors import LifesignError
from lifesign.core.scope import Grant, system_scope

DRAIN_CONNECTIONS_S = 3
"""How long open requests may go on after a stop was asked for."""
DAEMON_FILE = "daemon.json"
LOCK_FILE = "daemon.lock"
LOCAL_KEY_NAME = "this machine"

_log = structlog.get_logger(__name__)


class StartError(LifesignError):
    """Lifesign could not start."""

    code = "start"


class Server(uvicorn.Server):
    """uvicorn inside our own task group: signals are ours, and `answering` is set once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.answering.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def serve(
    listen: Annotated[
        str | None, typer.Option(help="Address and port of the page and the API [127.0.0.1:8080].")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Directory of the database and the key [./data].")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with settings and monitors.")
    ] = None,
) -> None:
    """Watch, tell people, and answer them and their assistants. Stops on SIGTERM or Ctrl+C."""
    loaded = load_config(config, os.environ, flags={"listen": listen, "data": data})
    configure_logging(loaded.config.log_format, loaded.config.log_level)
    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(loaded))


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """Uvloop where it exists; everything works on the stock loop too."""
    try:
        import uvloop  # noqa: PLC0415 - optional: there is none for Windows
    except ImportError:
        return None
    return uvloop.Loop


def _raise_file_limit() -> None:
    """A probe is an open socket: take all the descriptors that the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _spare_the_collector() -> None:
    """What is loaded by now stays as long as we do: walking it again and again stalls the loop.

    With 10,000 monitors a full collection took 170 ms; without what was loaded it takes a third of that. Probes make
    little garbage that goes in circles, so that looking for it less often spares about 5 % of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _serve(loaded: Loaded) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = _bind(loaded)
    with _claimed(loaded.config.data):
        await _live(loaded, listener, stop)
    _log.info("stopped")


async def _live(loaded: Loaded, listener: socket.socket, stop: asyncio.Event) -> None:
    async with assemble(loaded) as app, asyncio.TaskGroup() as tasks:
        living = tasks.create_task(app.run(stop), name="engine")
        await app.engine.ready.wait()
        _spare_the_collector()
        server = _server(app)
        answering = tasks.create_task(server.serve(sockets=[listener]), name="server")
        await server.answering.wait()
        async with _announced(app, listener.getsockname()[1]):
            asked = tasks.create_task(stop.wait())
            await asyncio.wait([asked, answering, living], return_when=asyncio.FIRST_COMPLETED)
            _log.info("stopping")
            stop.set()
            server.should_exit = True
            await asyncio.wait([answering, living])


def _server(app: Application) -> Server:
    return Server(
        uvicorn.Config(
            app.asgi,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=DRAIN_CONNECTIONS_S,
            limit_concurrency=None,
            ws="none",
        )
    )


def _bind(loaded: Loaded) -> socket.socket:
    """Take the address first: when it is taken already, nothing else should have been started."""
    host, port = loaded.config.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as refusal:
        raise StartError(
            f"Lifesign could not listen on {host}:{port}: {refusal.strerror or refusal}.",
            remedy="Choose another address with --listen, or stop what listens there.",
        ) from refusal


@contextmanager
def _claimed(data: Path) -> Iterator[None]:
    """Hold the data directory: two daemons on it would probe, judge and tell everything twice.

    The lock belongs to the process, so one that was killed leaves nothing to clean up.
    """
    path = data / LOCK_FILE
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as refusal:
        raise StartError(
            f"The data directory {data} cannot be used: {refusal.strerror or refusal}.",
            remedy="Name a directory that can be written to with --data or LIFESIGN_DATA.",
        ) from refusal
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as refusal:
            raise StartError(
                f"Another Lifesign (process {lock.read().strip() or 'unknown'}) runs on the data "
                f"directory {data}.",
                remedy="Stop it first, or give this one another directory with --data.",
            ) from refusal
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@asynccontextmanager
async def _announced(app: Application, port: int) -> AsyncIterator[None]:
    """Say where we are: to people on stderr, to the commands of this machine in a file that only we can read."""
    host, _ = app.config.address
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    url = f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
    _log.info("listening", url=url, data=str(app.config.data), version=__version__)
    await _offer_setup(app, url)
    path = app.config.data / DAEMON_FILE
    token = await _local_token(app)
    _write_private(path, json.dumps({"url": url, "pid": os.getpid(), "token": token}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


async def _offer_setup(app: Application, url: str) -> None:
    """On the first start, print the one-time link with which the first person signs up."""
    token = await app.services.people.setup_token(SystemClock().now())
    if token is None:
        return
    base = str(app.config.base_url).rstrip("/") if app.config.base_url is not None else url
    typer.echo(
        f"\nWelcome to Lifesign. Open this link within 15 minutes to set it up:\n\n"
        f"    {base}/setup?token={token}\n",
        err=True,
    )


async def _local_token(app: Application) -> str:
    """A fresh key for the commands of this machine; those of earlier starts end here."""
    scope, people = system_scope("serve"), app.services.people
    for old in await people.tokens(scope):
        if old.name == LOCAL_KEY_NAME:
            await people.revoke_token(scope, old.id)
    made = await people.create_token(scope, name=LOCAL_KEY_NAME, grant=Grant.ADMIN, expires_in=None)
    return made.secret


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(".partial")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
