"""Percentiles as people read them, and the command over a real daemon."""

import pytest

from lifesign.cli.latency_text import print_latency

FOUND = {"count": 90, "p50_ms": 12.34, "p95_ms": 30.0, "p99_ms": None}
WINDOW = {"window": "24h", "total": FOUND, "phases": {"dns": FOUND, "tls": FOUND}}
KNOWN = {
    "windows": [WINDOW],
    "baseline_p95_ms": 30.0,
    "baseline_runs": 90,
    "baseline_days": 7,
    "limit_ms": 90.0,
}


def test_every_phase_has_a_line_and_the_limit_is_said(capsys):
    print_latency(KNOWN)
    lines = capsys.readouterr().out.splitlines()

    assert [line.split()[:2] for line in lines[1:4]] == [
        ["24h", "all"],
        ["dns", "90"],
        ["tls", "90"],
    ]
    assert "Usual is a p95 of 30.0 ms (90 runs of 7 days)." in lines
    assert "Three periods above 90.0 ms are told." in lines


def test_nothing_is_said_to_be_told_where_it_is_off_or_unknown(capsys):
    print_latency(KNOWN | {"limit_ms": None})
    off = capsys.readouterr()
    print_latency(KNOWN | {"baseline_p95_ms": None, "limit_ms": None})
    unknown = capsys.readouterr()

    assert "are told" not in off.out
    assert "Usual" not in unknown.out
    assert "100 runs over 24 hours" in unknown.err


@pytest.mark.slow
def test_a_daemon_is_asked_for_the_latency_of_a_monitor(lifesign, daemon):
    where = ("--data", daemon.data)
    lifesign("monitor", "add", f"{daemon.url}/healthz", "--name", "Quick", *where)
    lifesign("monitor", "run", "quick", *where)

    shown = lifesign("monitor", "latency", "quick", "--json", *where)
    absent = lifesign("monitor", "latency", "nowhere", *where)

    assert shown.code == 0, shown.err
    day = shown.json["windows"][0]
    assert day["total"]["count"] >= 1
    assert "http" in day["phases"] or "first_byte" in day["phases"]
    assert absent.code == 4
