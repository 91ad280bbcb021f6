"""Monitors as people read them: columns stay in line, with colour and without."""

import re

import pytest

from lifesign.cli import output
from lifesign.cli.monitor_text import print_monitor, print_monitors

ROWS = [
    {
        "state": state,
        "name": state,
        "kind": "tcp",
        "target": "127.0.0.1:9",
        "since": None,
        "failure": None,
    }
    for state in ("up", "down", "unknown", "paused", "degraded")
]


@pytest.mark.parametrize("coloured", [True, False])
def test_columns_stay_in_line(monkeypatch, capsys, coloured):
    monkeypatch.setattr(output, "has_colour", lambda: coloured)
    print_monitors(ROWS)
    printed = capsys.readouterr().out
    lines = re.sub(r"\x1b\[\d*m", "", printed).splitlines()

    assert ("\x1b[" in printed) is coloured
    assert {line.index("tcp") for line in lines[1:]} == {lines[0].index("KIND")}


def test_monitors_of_one_name_are_told_apart_by_their_slugs(capsys):
    twins = [ROWS[0] | {"name": "Shop", "slug": slug} for slug in ("shop", "shop-2")]
    print_monitors([*twins, ROWS[1] | {"slug": "down"}])
    lines = capsys.readouterr().out.splitlines()

    assert "Shop (shop) " in lines[1]
    assert "Shop (shop-2) " in lines[2]
    assert "(down)" not in lines[3]


def test_text_of_a_watched_thing_cannot_steer_the_terminal(capsys):
    print_monitors([ROWS[0] | {"name": "evil\x1b[2J\nname"}])

    assert "\x1b" not in capsys.readouterr().out


REFUSED = {
    "layer": "health_url", "code": "body_down", "message": "`ready` says down.", "remedy": "Look at it.",
    "evidence": 'HTTP 503\n{"status": "down"}',
}  # fmt: skip
SHOWN = ROWS[4] | {
    "id": "mon_1", "slug": "tools", "ping_url": "", "interval_s": 60.0, "timeout_s": 10.0, "conditions": [],
    "tags": [], "group": "", "read_only": False, "failure": REFUSED, "uptime_24h": 1.0,
    "last_run": {
        "state": "degraded", "started_at": "2026-11-20T12:00:00Z", "duration_ms": 3.0,
        "phases_ms": {"dns": 0.1}, "facts": {"server.name": "tools\x1b", "server.version": "2.1"},
        "failure": REFUSED, "checks": [],
        "findings": [
            REFUSED | {"level": "warn"},
            {"level": "info", "message": "No keep-alive.", "remedy": "Send comments."},
        ],
    },
}  # fmt: skip


def test_a_monitor_shows_who_answered_and_the_evidence_of_what_is_wrong_once(capsys):
    print_monitor(SHOWN)
    printed = capsys.readouterr().out

    assert "server       tools" in printed
    assert printed.count("`ready` says down.") == 1
    assert 'seen: HTTP 503 {"status": "down"}' in printed
    assert "info: No keep-alive.\n    Send comments." in printed
    assert "\x1b" not in printed


def test_a_monitor_shows_what_is_told_beside_its_state(capsys):
    gone = {
        "layer": "drift",
        "code": "tool_removed",
        "message": "It is gone.",
        "remedy": "Compare.",
    }
    alert = {
        "title": "tools: a tool is gone", "opened_at": None, "severity": "high", "failure": gone,
    }  # fmt: skip
    print_monitor(SHOWN, [alert])
    printed = capsys.readouterr().out

    assert "◆ tools: a tool is gone" in printed
    assert "drift / tool_removed: It is gone." in printed
