"""The product under measurement: `lifesign serve` on a core of its own, over a directory that is thrown away."""

import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.processes import Child, clean_environment, free_port, until

PRODUCT_CORE, TARGET_CORE = 0, 1
READY_WITHIN_S = 300
DRAINED_WITHIN_S = 60


def pinned(core: int, command: Iterable[str | Path]) -> list[str | Path]:
    """The command, held to one core."""
    return ["taskset", "-c", str(core % (os.cpu_count() or 1)), *command]


@dataclass(slots=True)
class Product:
    """A running Lifesign. `started` is the monotonic second at which its process was started."""

    child: Child
    url: str
    data: Path
    started: float

    @property
    def pid(self) -> int:
        """Its process (taskset has become it)."""
        return self.child.pid

    def ask(self, path: str) -> Any:
        """The JSON answer of its API, asked with the key of this machine."""
        token = json.loads((self.data / "daemon.json").read_text("utf-8"))["token"]
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def health(self) -> Mapping[str, Any]:
        """Its own figures: runs, lateness, monitors by state."""
        health: Mapping[str, Any] = self.ask("/api/v1/health")
        return health

    def unchecked(self) -> int:
        """Monitors that no run has judged yet."""
        return int(self.health()["monitors"].get("unknown", 0))


def configuration(
    monitors: Iterable[Mapping[str, Any]],
    *,
    channels: Iterable[Mapping[str, Any]] = (),
    **settings: Any,
) -> str:
    """A configuration file; JSON is YAML too, one line a monitor."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in settings.items()]
    lines += ["monitors:", *(f"- {json.dumps(monitor)}" for monitor in monitors)]
    listed = list(channels)
    if listed:
        names = [channel["name"] for channel in listed]
        lines += ["channels:", *(f"- {json.dumps(channel)}" for channel in listed)]
        lines += [f"routes: [{json.dumps({'name': 'all', 'channels': names})}]"]
    return "\n".join(lines) + "\n"


@contextmanager
def home() -> Iterator[Path]:
    """A directory for one product, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lifesign-bench-") as directory:
        yield Path(directory)


@contextmanager
def serving(directory: Path, config: str | None = None) -> Iterator[Product]:
    """The product, ready; `directory` may have served before."""
    path = directory / "lifesign.yaml"
    if config is not None:
        path.write_text(config, "utf-8")
    port, data = free_port(), directory / "data"
    command = [sys.executable, "-m", "lifesign", "serve", "--listen", f"127.0.0.1:{port}"]
    began = time.monotonic()
    child = Child(
        pinned(PRODUCT_CORE, [*command, "--data", data, "--config", path]),
        environment=clean_environment(LIFESIGN_LOG_LEVEL="warning"),
        directory=directory,
    )
    with child:
        child.listens(port, within=READY_WITHIN_S)
        product = Product(child, f"http://127.0.0.1:{port}", data, began)
        until(lambda: _is_ready(product), within=READY_WITHIN_S, what="readiness")
        yield product
        if not child.ended:
            child.terminate(within=DRAINED_WITHIN_S)


def _is_ready(product: Product) -> bool:
    if product.child.ended:
        raise AssertionError(f"Lifesign ended early:\n{product.child.output}")
    try:
        with urllib.request.urlopen(f"{product.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200) and (product.data / "daemon.json").exists()
    except OSError:
        return False
