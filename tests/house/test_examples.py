"""The examples of CONTRIBUTING.md are found by scanning and do what the page says: one file is enough."""

import asyncio
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from house.tree import ROOT
from lifesign.channels.registry import ChannelContext, Message, load_channel_kinds
from lifesign.clock import SystemClock
from lifesign.core.model import Observation
from lifesign.core.scope import Grant
from lifesign.probes.registry import ProbeContext, load_kinds

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
EXAMPLES = {
    match[1]: match[0]
    for match in re.finditer(r"# src/lifesign/(\S+?)\n.*?(?=```)", PAGE, re.DOTALL)
}


def installed(example: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay the example beside the modules of its package, as a contributor would."""
    package_name, name = f"lifesign/{example}".removesuffix(".py").replace("/", ".").rsplit(".", 1)
    (directory / f"{name}.py").write_text(EXAMPLES[example], "utf-8")
    package = sys.modules[package_name]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(directory)])
    monkeypatch.delitem(sys.modules, f"{package_name}.{name}", raising=False)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Whatever a test imported from an example is gone after it."""
    yield
    for example in EXAMPLES:
        sys.modules.pop(f"lifesign/{example}".removesuffix(".py").replace("/", "."), None)


def message() -> Message:
    return Message(
        id="msg_1",
        event=None,
        alert=None,
        title="Shop is down",
        text="tcp: connection refused",
        link="",
        monitor_name="Shop",
        monitor_kind="http",
        monitor_target="http://127.0.0.1/",
        tags=(),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_the_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("probes/file_age.py", tmp_path, monkeypatch)
    kind = load_kinds()["file_age"]
    ctx = ProbeContext(
        net=SimpleNamespace(),  # type: ignore[arg-type] # this kind dials nothing
        clock=SystemClock(),
        deadline=asyncio.get_running_loop().time() + 5,
    )

    seen: Observation = await kind.run(kind.settings(path=tmp_path / "file_age.py"), ctx)
    gone: Observation = await kind.run(kind.settings(path=tmp_path / "no"), ctx)

    assert 0 <= seen.facts["age_s"] < 60  # type: ignore[operator]
    assert gone.failure is not None
    assert "No such file" in gone.failure.message


async def test_the_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("channels/spool.py", tmp_path, monkeypatch)
    kind = load_channel_kinds()["spool"]
    ctx = ChannelContext(
        net=SimpleNamespace(),  # type: ignore[arg-type] # this channel dials nothing
        clock=SystemClock(),
        deadline=asyncio.get_running_loop().time() + 5,
    )

    written = await kind.send(message(), kind.settings(directory=tmp_path), ctx)
    refused = await kind.send(message(), kind.settings(directory=tmp_path / "no"), ctx)

    assert written.delivered
    assert (tmp_path / "msg_1.txt").read_text("utf-8").startswith("Shop is down")
    assert refused.permanent


async def test_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lifesign.mcp.registry import Call, load_tools

    installed("mcp/tools/count_monitors.py", tmp_path, monkeypatch)
    spec = next(spec for spec in load_tools() if spec.name == "count_monitors")

    async def health(_scope: object) -> object:
        return SimpleNamespace(monitors={"up": 2, "down": 1})

    services = SimpleNamespace(status=SimpleNamespace(health=health))
    answer = await spec.run(Call(services, SimpleNamespace(), SystemClock()))  # type: ignore[arg-type]

    assert answer.model_dump() == {"total": 3}
    assert spec.grant is Grant.READ
    assert "list_endpoints" in spec.description
