"""What a page says of an MCP server, read from the facts of a run; drift in words."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.drift.values import Change, Impact
from lifesign.core.model import State
from lifesign.probes.registry import load_kinds
from lifesign.service.views import HistoryView, PercentilesView, SeriesPoint
from lifesign.web.chart import drawn_phases, measured, phase_names
from lifesign.web.drift import (
    count_words,
    first_of,
    groups_of,
    revealed,
    settled_words,
    short_digest,
)
from lifesign.web.ladder import rungs
from lifesign.web.servers import (
    expiry,
    expiry_words,
    identity,
    other_facts,
    side_checks,
    sign_in,
)
from web.fake_kinds import NOW
from web.fake_surfaces import CHANGES, line
from web.scene import SERVER_FACTS, WALLED_FACTS, run


def test_a_server_says_who_it_is_and_how_it_was_spoken_to():
    facts = SERVER_FACTS | {"server.version": "2.14.0"}

    assert identity(facts) == (
        ("server", "github 2.14.0"),
        ("protocol", "2025-11-25, with a handshake"),
        ("transport", "Streamable HTTP, event-stream replies"),
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"era": "modern", "protocol_version": "2026-07-28", "transport": "stdio"}, [("protocol", "2026-07-28, stateless"), ("transport", "stdio")]),
        ({"transport": "sse", "framing": "sse"}, [("transport", "HTTP+SSE, the old pair of addresses, event-stream replies")]),
        ({"status": 200}, []),
        ({"server.name": 7, "era": None}, []),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_said(facts, said):
    assert list(identity(facts)) == said


@pytest.mark.parametrize(
    ("state", "word", "look"),
    [("required", "sign-in required", State.UP), ("healthy", "signed in", State.UP), ("walled", "sign-in fails", State.DOWN), ("broken", "sign-in broken", State.DOWN)],
)  # fmt: skip
def test_the_sign_in_has_a_word_of_its_own(state, word, look):
    found = sign_in({"auth.state": state})

    assert found is not None
    assert (found.word, found.look) == (word, look)


def test_an_open_server_has_no_such_word():
    assert sign_in({"auth.state": "open"}) is sign_in({}) is None


@pytest.mark.parametrize(
    ("hours", "look", "words"),
    [(-2, State.DOWN, "expired 2 h ago"), (7, State.DEGRADED, "expires in 7 h"), (72, State.DEGRADED, "expires in 3 d"), (73, State.UP, "expires in 3 d 1 h")],
)  # fmt: skip
def test_a_credential_is_marked_as_soon_as_its_end_is_told(hours, look, words):
    at = NOW + timedelta(hours=hours)
    found = expiry({"credential.expires_at": at.isoformat(), "credential.source": "jwt"}, now=NOW)

    assert found is not None
    assert (found.look, found.source) == (look, "its token says so")
    assert expiry_words(found, now=NOW) == words


@pytest.mark.parametrize("text", ["soon", "", None, 7, "2026-11-21T00:00:00"])
def test_an_end_that_cannot_be_read_is_none(text):
    assert expiry({"credential.expires_at": text}, now=NOW) is None


def test_checks_of_their_own_period_are_told_the_worst_first():
    found = side_checks(run(State.UP, phases={}, facts=SERVER_FACTS))

    assert [(each.sort, each.name, each.state) for each in found] == [
        ("Canary", "search", State.DOWN),
        ("Health URL", "backend", State.DEGRADED),
        ("Resource", "", State.UP),
        ("Stream", "", State.UP),
    ]
    assert [each.detail for each in found] == [
        "", "status 200 · said degraded", "lifesign://status · age 41 s", "first progress 51 ms",
    ]  # fmt: skip
    assert found[1].parts == (("database", State.UP), ("queue", State.DOWN))
    assert (found[0].took_ms, found[0].checked_at) == (812.5, NOW - timedelta(minutes=2))


def test_nothing_is_told_twice():
    names = [name for name, _ in other_facts(SERVER_FACTS)]

    assert names == ["session", "capabilities", "tools.count"]
    assert other_facts({"server": "nginx", "status": None}) == (("server", "nginx"),)


NAMES = [
    name for kind in ("mcp", "mcp-stdio") for name in load_kinds()[kind].facts.model_fields
]  # fmt: skip
FACTS = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["state", "a.state", "name", "checked_at", "components.a", "x_ms"])).map(".".join)
    | st.sampled_from(NAMES),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["up", "down", "required"]),
)  # fmt: skip


@given(FACTS)
def test_whatever_a_server_makes_a_run_see_can_be_shown(facts):
    checks = side_checks(run(State.UP, phases={}, facts=facts))

    assert all(revealed(each.detail) is not None for each in checks)
    assert identity(facts) is not None
    assert other_facts(facts) is not None


def test_what_lies_behind_a_proper_sign_in_was_not_run_and_nothing_is_broken():
    order = ("dns", "tcp", "tls", "http", "initialize", "tools_list")
    phases = {"dns": 1.0, "tcp": 1.0, "http": 1.0}

    found = rungs(order, phases, failure=None, facts=WALLED_FACTS)

    assert [(each.label, each.mark) for each in found] == [
        ("DNS", "ok"), ("TCP", "ok"), ("HTTP", "ok"), ("initialize", "skip"), ("tools/list", "skip"),
    ]  # fmt: skip
    assert found[3].detail == "behind sign-in"


def test_changes_are_grouped_by_whom_they_hurt_and_suspicious_ones_go_first():
    groups = groups_of(CHANGES[::-1])

    assert [(each.impact, len(each.changes)) for each in groups] == [
        (Impact.BREAKING, 1), (Impact.HINT, 1), (Impact.TEXT, 2), (Impact.INFO, 1),
    ]  # fmt: skip
    assert [each.is_suspicious for each in groups[2].changes] == [True, False]


def test_a_banner_tells_the_worst_five():
    many = [Change(f"c{number}", Impact.INFO, "", "", "", "", "…") for number in range(9)]

    assert [each.change.code for each in first_of([*many, CHANGES[0]])][:2] == [
        "tool_removed",
        "c0",
    ]
    assert len(first_of(many)) == 5


def test_counts_are_words():
    assert count_words({"breaking": 2, "hint": 1, "additive": 0}) == "2 breaking, 1 of safety hints"


@pytest.mark.parametrize(
    ("by", "said"),
    [("", "not accepted: this is drift"), ("auto", "accepted by itself, as it stayed"), ("release 4.1", "accepted with the release 4.1"), ("ada@example.org", "accepted by ada@example.org"), ("reverted", "went away: the earlier surface is back")],
)  # fmt: skip
def test_a_line_of_the_timeline_says_what_became_of_it(by, said):
    assert settled_words(line(1, accepted_by=by)) == said


def test_digests_are_shortened():
    assert short_digest("v1:" + "0a" * 32) == "v1:0a0a0a0a0a0a"


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\U000e0041", "\x1b", "\r", "\u2028"],
)
def test_what_cannot_be_seen_is_made_visible(hidden):
    shown = revealed(f"a{hidden}<b>")

    assert hidden not in shown
    assert shown == f'a<mark class="unseen">U+{ord(hidden):04X}</mark>&lt;b&gt;'


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_revealed_text_is_escaped_and_bounded(text, limit):
    shown = revealed(text, limit)
    bare = shown.replace('<mark class="unseen">', "").replace("</mark>", "")

    assert "<" not in bare
    assert ("…" in shown) or len(text) <= limit


def point(**phases: float) -> SeriesPoint:
    told = {
        name: PercentilesView(count=9, p50_ms=ms, p95_ms=2 * ms, p99_ms=3 * ms)
        for name, ms in phases.items()
    }
    return SeriesPoint(
        at=NOW, count=10, up=10, degraded=0, down=0, unknown=0, p50_ms=1.0, p95_ms=1.0, p99_ms=1.0,
        phases_ms=phases, phases=told,
    )  # fmt: skip


def history(*points: SeriesPoint, **counts: int) -> HistoryView:
    told = {
        name: PercentilesView(count=count, p50_ms=1.0, p95_ms=1.0, p99_ms=1.0)
        for name, count in counts.items()
    }
    return HistoryView(
        monitor_id="m", since=NOW, until=NOW, uptime=1.0, down_s=0.0, p50_ms=1.0, p95_ms=1.0,
        p99_ms=1.0, points=points, days=(), phases=told,
    )  # fmt: skip


def test_only_what_every_run_has_and_people_can_see_is_drawn():
    past = history(
        point(dns=0.02, tcp=4.0, tools_list=60.0, stream=900.0),
        dns=100, tcp=100, tools_list=98, stream=20,
    )  # fmt: skip

    assert phase_names(past) == ("dns", "tcp", "tools_list", "stream")
    assert drawn_phases(past) == ("tcp", "tools_list")


def test_nothing_is_drawn_of_nothing():
    assert drawn_phases(history()) == ()


@pytest.mark.parametrize(
    ("measure", "ms"), [("mean", 4.0), ("p50", 4.0), ("p95", 8.0), ("p99", 12.0)]
)
def test_each_measure_of_a_phase_can_be_drawn(measure, ms):
    assert measured(point(tcp=4.0), "tcp", measure) == ms
    assert measured(point(tcp=4.0), "tls", measure) is None
