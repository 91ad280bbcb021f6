"""A first day with Lifesign: set up, watch four real things, lose each, get each back."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.daemon import Daemon
from e2e.pages import Person, browser
from e2e.processes import until
from e2e.sink import Sink, listening
from e2e.targets import (
    PrivateCA,
    Target,
    everything_server,
    plain_site,
    running,
    time_server,
    tls_site,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.needs("nginx", "chromium", "node", "mcp-everything", "mcp-proxy"),
]


@dataclass
class Scene:
    """All that takes part."""

    daemon: Daemon
    person: Person
    sink: Sink
    targets: tuple[Target, ...]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    authority = PrivateCA(tmp_path / "authority")
    config = tmp_path / "lifesign.yaml"
    config.write_text(f"egress: {{ca_file: {authority.root}}}\n", "utf-8")
    with ExitStack() as stack:
        sink = stack.enter_context(listening())
        targets = stack.enter_context(
            running(
                plain_site(tmp_path),
                tls_site(tmp_path, authority),
                everything_server(),
                time_server(),
            )
        )
        daemon = stack.enter_context(closing(Daemon(tmp_path / "data", config=config)))
        daemon.start()
        page = stack.enter_context(browser()).new_page()
        yield Scene(daemon, Person(page, daemon.url), sink, targets)


def test_each_thing_that_dies_is_told_once_and_resolves(scene: Scene) -> None:
    person = scene.person
    person.set_up(scene.daemon.setup_link())
    person.add_webhook(scene.sink)
    for target in scene.targets:
        person.add_monitor(target.pasted, name=target.name)
    person.open_overview()
    for target in scene.targets:
        person.sees(target.name, "up")

    for target in scene.targets:
        target.kill()
    for target in scene.targets:
        person.sees(target.name, "down")
        _told(scene, target, "alert.fired")
    _explained(scene)

    for target in scene.targets:
        target.start()
    for target in scene.targets:
        person.sees(target.name, "up")
        _told(scene, target, "alert.resolved")

    assert person.has_stayed()
    _once_each(scene)
    assert person.complaints == []


def _told(scene: Scene, target: Target, type: str) -> None:
    what = f"{type} for {target.name}; got {[(one.type, one.id) for one in scene.sink.received]}"
    until(lambda: scene.sink.of(type, target.pasted), within=15, what=what)


def _explained(scene: Scene) -> None:
    """Every open alert names the layer and the reason."""
    alerts = scene.person.ask("/api/v1/alerts?state=firing")["items"]
    reasons = {
        alert["monitor_name"]: (alert["failure"]["layer"], alert["failure"]["reason"])
        for alert in alerts
    }

    assert len(alerts) == len(scene.targets)
    assert reasons == dict.fromkeys(
        (target.name for target in scene.targets), ("tcp", "connection_refused")
    )


def _once_each(scene: Scene) -> None:
    """One alert and two webhooks a target, all with a right signature, after everything settled."""
    alerts = scene.person.ask("/api/v1/alerts")["items"]

    assert sorted(alert["monitor_name"] for alert in alerts) == sorted(
        target.name for target in scene.targets
    )
    assert {alert["state"] for alert in alerts} == {"resolved"}
    for target in scene.targets:
        for type in ("alert.fired", "alert.resolved"):
            assert len(scene.sink.of(type, target.pasted)) == 1
    assert len(scene.sink.received) == 1 + 2 * len(scene.targets)
    assert scene.sink.refused == []
