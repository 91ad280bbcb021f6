"""The ladder: the first broken rung is marked, what came before held, what came after was not run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.ladder import as_text, ladder
from lifesign.core.model import Failure, Observation, Reason

MCP = ("dns", "tcp", "tls", "http", "initialize", "initialized", "tools_list")


def seen(*phases, layer=None, code="broken", **facts):
    failure = Failure(layer, code, "It broke.") if layer else None
    return Observation(phases_ms=dict.fromkeys(phases, 1.5), failure=failure, facts=facts)


def states(observation, failure=None, names=MCP):
    return {rung.name: rung.state for rung in ladder(names, observation, failure)}


def test_a_good_probe_is_ok_and_a_layer_that_was_not_needed_is_skipped():
    found = states(seen("dns", "tcp", "http", "initialize", "initialized", "tools_list"))

    assert found == dict.fromkeys(MCP, "ok") | {"tls": "skipped"}


@pytest.mark.parametrize(
    ("observation", "broken"),
    [
        (seen(layer="dns"), "dns"),
        (seen("dns", layer="tcp"), "tcp"),
        (seen("dns", "tcp", layer="tls"), "tls"),
        (seen("dns", "tcp", "http", layer="http"), "http"),
        (seen("dns", "tcp", "tls", "http", layer="auth"), "initialize"),
        (seen("dns", "tcp", "tls", "http", layer="jsonrpc"), "initialize"),
        (seen("dns", "tcp", "http", "initialize", layer="http"), "initialized"),
        (
            seen(
                "dns", "tcp", "http", "initialize", layer="initialize", code="rejected_initialized"
            ),
            "initialized",
        ),
        (
            seen("dns", "tcp", "http", "initialize", "initialized", layer="session"),
            "tools_list",
        ),
    ],
)
def test_the_broken_rung_is_the_one_where_it_stopped(observation, broken):
    found = states(observation)

    assert [name for name, state in found.items() if state == "failed"] == [broken]
    after = list(MCP[MCP.index(broken) + 1 :])
    assert [found[name] for name in after] == ["skipped"] * len(after)


@pytest.mark.parametrize(
    ("code", "times", "names", "broken"),
    [
        ("blocked_address", (), ("dns", "tcp", "tls", "send"), "tcp"),
        ("blocked_address", ("dns",), ("dns", "tcp", "tls", "send"), "tcp"),
        ("blocked_name", (), ("dns", "tcp", "tls", "send"), "dns"),
        ("blocked_name", ("dns",), ("dns", "tcp", "tls", "send"), "dns"),
        ("blocked_address", ("dns",), ("dns",), "dns"),
    ],
)
def test_nothing_is_drawn_as_passed_behind_the_egress_fence(code, times, names, broken):
    found = states(seen(*times, layer="egress", code=code), names=names)

    at = names.index(broken)
    assert list(found.values()) == ["ok"] * at + ["failed"] + ["skipped"] * (len(names) - at - 1)


def test_a_redirect_into_the_fence_is_one_more_rung():
    names = ("dns", "tcp", "send")

    found = states(seen(*names, layer="egress", code="blocked_address"), names=names)

    assert found == {"dns": "ok", "tcp": "ok", "send": "ok", "egress": "failed"}


def test_a_condition_is_one_more_rung():
    failure = Failure("condition", "not_met", "Expected x.")

    found = states(seen("dns", "tcp", "http"), failure, names=("dns", "tcp", "http"))

    assert found == {"dns": "ok", "tcp": "ok", "http": "ok", "condition": "failed"}


@pytest.mark.parametrize("layer", ["credential", "internal"])
def test_nothing_is_drawn_as_passed_that_our_own_fault_kept_us_from(layer):
    found = states(seen(layer=layer))

    assert list(found) == [layer, *MCP]
    assert list(found.values()) == ["failed"] + ["skipped"] * len(MCP)


def test_a_program_that_we_may_not_start_is_not_spawned():
    forbidden = Failure("stdio", "not_allowed", "No.", reason=Reason.BLOCKED)

    found = states(Observation(failure=forbidden), names=("spawn", "initialize"))

    assert found == {"spawn": "failed", "initialize": "skipped"}


def test_a_credential_that_is_refused_breaks_where_it_was_refused():
    found = states(seen("dns", "tcp", "http", layer="credential"))

    assert [name for name, state in found.items() if state == "failed"] == ["initialize"]


def test_a_passive_kind_times_nothing():
    assert states(seen(), names=("heartbeat",)) == {"heartbeat": "ok"}
    assert states(seen(layer="heartbeat"), names=("heartbeat",)) == {"heartbeat": "failed"}


@given(st.sets(st.sampled_from(MCP)), st.sampled_from([*MCP, "auth", "jsonrpc", "condition"]))
def test_a_failure_breaks_exactly_one_rung(phases, layer):
    rungs = ladder(MCP, seen(*sorted(phases, key=MCP.index), layer=layer))

    assert [rung.state for rung in rungs].count("failed") == 1
    assert [rung.name for rung in rungs][: len(MCP)] == list(MCP)


def test_as_text_is_aligned_and_says_state_time_and_reason():
    observation = Observation(
        phases_ms={"dns": 4.0, "tcp": 11.26, "http": 150.4},
        failure=Failure("auth", "bare_401", "No."),
        facts={"ip": "192.0.2.7", "http.status": 401},
    )

    assert as_text(ladder(MCP, observation)).splitlines() == [
        "● DNS             4.0 ms",
        "● TCP            11.3 ms  192.0.2.7",
        "┄ TLS                  -",
        "● HTTP            150 ms  401",
        "■ initialize              auth: bare 401",
        "┄ initialized          -  not run",
        "┄ tools/list           -  not run",
    ]
