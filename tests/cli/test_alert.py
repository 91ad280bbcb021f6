"""`lifesign alert` against a real daemon with a real outage."""

import time

import httpx2
import pytest

pytestmark = pytest.mark.slow

DEADLINE_S = 20.0


def wait_for_alert(lifesign, where):
    """The first alert, as soon as the outage is confirmed."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = lifesign("alert", "ls", "--json", *where)
        if found.json:
            return found.json[0]
    raise AssertionError("no alert fired")


def add_dead_end(daemon):
    draft = {
        "name": "Dead end",
        "kind": "tcp",
        "settings": {"host": "127.0.0.1", "port": 9},
        "interval": "1s",
        "policy": {"confirmations": 1},
    }
    response = httpx2.post(
        f"{daemon.url}/api/v1/monitors",
        json=draft,
        headers={"Authorization": f"Bearer {daemon.token}"},
        trust_env=False,
    )
    assert response.status_code == 201, response.text


def test_an_alert_is_listed_and_acknowledged(lifesign, daemon):
    where = ("--data", daemon.data)
    nothing = lifesign("alert", "ls", *where)
    add_dead_end(daemon)
    alert = wait_for_alert(lifesign, where)
    listed = lifesign("alert", "ls", *where)
    elsewhere = lifesign("alert", "ls", "--monitor", "nothing", *where)
    acked = lifesign("alert", "ack", alert["id"], "--json", *where)
    again = lifesign("alert", "ls", "--monitor", "dead-end", *where)
    unknown = lifesign("alert", "ack", "alr_nothing", *where)

    assert "There are no such alerts" in nothing.err
    assert "■ firing" in listed.out
    assert "tcp / refused" in listed.out
    assert elsewhere.code == 4
    assert (acked.json["state"], acked.json["acknowledged_by"]) == (
        "acknowledged",
        "token this machine",
    )
    assert "◆ acknowledged" in again.out
    assert unknown.code == 4
