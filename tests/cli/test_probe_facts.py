"""The facts that a terminal shows: few, short, and unable to steer it."""

import pytest

from lifesign.cli.probe_facts import told_facts


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"status": 204, "latency_ms": 3.1}, [("status", "204")]),
        (
            {"http.status": 200, "server.name": "shop", "server.version": "1.2", "tools.count": 0},
            [("status", "200"), ("server", "shop 1.2"), ("tools", "0")],
        ),
        ({"answers": ["192.0.2.1", "192.0.2.2"]}, [("answers", "192.0.2.1, 192.0.2.2")]),
        ({"answers": list("abcdefg")}, [("answers", "a, b, c, d, e and 2 more")]),
        (
            {"tls.days_left": 61.4, "tls.not_after": "2026-03-01T00:00:00+00:00"},
            [("expires", "in 61 days (2026-03-01)")],
        ),
        (
            {"tls.days_left": -2.0, "tls.not_after": "2026-03-01T00:00:00+00:00"},
            [("expires", "2 days ago (2026-03-01)")],
        ),
        ({"ip": "192.0.2.1"}, []),
    ],
)
def test_the_few_that_matter_are_told(facts, told):
    assert list(told_facts(facts)) == told


def test_they_are_bounded_and_cannot_steer_the_terminal():
    facts = {"server.name": "\x1b[2J" + "x" * 900, "answers": ["\x1b]0;a\x07" + "y" * 900] * 9}

    for _, text in told_facts(facts):
        assert text.isprintable()
        assert len(text) <= 260
