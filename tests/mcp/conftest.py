"""The services that the tests of this folder talk to."""

import pytest

from lifesign.clock import FakeClock
from lifesign.core.model import State
from lifesign.service.services import Services
from mcp_desk import NOW, Desk, a_failure, a_monitor, a_run, an_alert, services_of


@pytest.fixture
def desk() -> Desk:
    return Desk(
        items=[
            a_monitor(1, state=State.DOWN, failure=a_failure()),
            a_monitor(2),
            a_monitor(3, kind="heartbeat", ping_url="http://127.0.0.1/ping/secret", target=""),
        ],
        alert_items=[an_alert(1)],
        run_items=[a_run(1, state=State.DOWN, failure=a_failure()), a_run(2)],
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def services(desk: Desk) -> Services:
    return services_of(desk)
