"""Monitors as people read them: columns stay in line, with colour and without."""

import re

import pytest

from lifesign.cli import output
from lifesign.cli.monitor_text import print_monitors

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
