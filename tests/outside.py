"""The outside parts that some tests need: how to tell whether one is there, and how to get it.

A test says `@pytest.mark.needs("nginx", "chromium")`. Where a part is missing it is skipped with the way to get it;
where `CI=true` it fails, so that continuous integration cannot go green by skipping.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOREIGN_NODE = ROOT / "tests/e2e/node_modules"
FOREIGN_PYTHON = ROOT / "build/foreign/bin"
MODERN_PYTHON = ROOT / "build/foreign-modern/bin"
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Part:
    """One outside part: `find` gives its path or None; `remedy` is how to get it."""

    find: Callable[[], str | None]
    remedy: str


def command(name: str, *, package: str) -> Part:
    """A program that Debian packages."""
    return Part(lambda: shutil.which(name, path=SYSTEM_PATH), f"apt install {package}")


def file(path: Path, *, remedy: str) -> Part:
    """A file that something else puts there."""
    return Part(lambda: str(path) if path.exists() else None, remedy)


def foreign(path: Path) -> Part:
    """A file that `make foreign` puts there."""
    return file(path, remedy="make foreign")


PARTS = {
    "chromium": command("chromium", package="chromium"),
    "nginx": command("nginx", package="nginx-light"),
    "node": command("node", package="nodejs npm"),
    "docker": command("dockerd", package="docker.io"),
    "docker-registry": command("docker-registry", package="docker-registry"),
    "busybox": command("busybox", package="busybox-static"),
    "blackbox-exporter": command(
        "prometheus-blackbox-exporter", package="prometheus-blackbox-exporter"
    ),
    "mcp-conformance": foreign(FOREIGN_NODE / "@modelcontextprotocol/conformance/dist/index.js"),
    "mcp-everything": foreign(FOREIGN_NODE / ".bin/mcp-server-everything"),
    "mcp-filesystem": foreign(FOREIGN_NODE / ".bin/mcp-server-filesystem"),
    "mcp-inspector": foreign(FOREIGN_NODE / ".bin/mcp-inspector"),
    "mcp-memory": foreign(FOREIGN_NODE / ".bin/mcp-server-memory"),
    "supergateway": foreign(FOREIGN_NODE / ".bin/supergateway"),
    "fastmcp": foreign(FOREIGN_PYTHON / "fastmcp"),
    "mcp-proxy": foreign(FOREIGN_PYTHON / "mcp-proxy"),
    "node-22": foreign(FOREIGN_PYTHON / "node"),
    "mcp-git": foreign(MODERN_PYTHON / "mcp-server-git"),
    "mcp-time": foreign(MODERN_PYTHON / "mcp-server-time"),
    "mcp-time-before": foreign(FOREIGN_PYTHON / "mcp-server-time"),
}


def path_of(name: str) -> str:
    """Where the part is; LookupError with the way to get it when it is missing."""
    found = PARTS[name].find()
    if found is None:
        raise LookupError(why_missing(name))
    return found


def why_missing(name: str) -> str:
    """Why a test cannot run, and the command that changes that."""
    return f"{name} is not installed; get it with: {PARTS[name].remedy}"


def missing(names: tuple[str, ...]) -> list[str]:
    """One sentence for each part that is not there."""
    return [why_missing(name) for name in names if PARTS[name].find() is None]


def is_ci() -> bool:
    """Whether this is continuous integration, where a missing part is a failure."""
    return os.environ.get("CI", "").lower() == "true"
