"""Conditions: what each form means, what was found, and where a text is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.condition import ConditionError, compile_condition
from lifesign.core.model import Level, Observation

SEEN = Observation(
    facts={
        "status": 200, "latency_ms": 120.5, "tls.days_left": 20.0, "answers": ["10.0.0.1", "10.0.0.2"],
        "secure": True, "server.name": "shop",
    },
    content={
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": '{"queue": {"depth": 7}, "jobs": [{"state": "ok"}], "ready": true, "none": null}',
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "holds", "found"),
    [
        ("status == 200", True, "200"),
        ("status != 200", False, "200"),
        ("status in 200-299,301", True, "200"),
        ("status in 300-399", False, "200"),
        ("status not in 500-599", True, "200"),
        ("latency_ms < 800ms", True, "120.5"),
        ("latency_ms < 0.1s", False, "120.5"),
        ("tls.days_left > 14", True, "20.0"),
        ("tls.days_left > 14d", True, "20.0"),
        ("tls.days_left > 3w", None, ""),
        ('json("$.queue.depth") < 100', True, "7"),
        ('json("$.queue.depth") == 7', True, "7"),
        ('json("$.jobs[0].state") == "ok"', True, "ok"),
        ('json("$.jobs.length()") >= 1', True, "1"),
        ('json("$.ready") == true', True, "true"),
        ('json("$.ready") == 1', False, "true"),
        ('json("$.missing") == 1', False, "nothing"),
        ('json("$.missing") != 1', False, "nothing"),
        ('exists(json("$.none"))', True, "null"),
        ('not exists(json("$.missing"))', True, "nothing"),
        ('header("Content-Type") contains "json"', True, "application/json; charset=utf-8"),
        ('header("x-none") == "a"', False, "nothing"),
        ('body contains "queue"', True, None),
        ('body not contains "queue"', False, None),
        ('body starts with "{"', True, None),
        ('answers contains "10.0.0.2"', True, None),
        ("answers not contains 10.0.0.9", True, None),
        ("secure == true", True, "true"),
        ('server.name == "shop"', True, "shop"),
        ("server.name in shop,till", True, "shop"),
        ("nothing.here > 1", False, "nothing"),
    ],
)
def test_a_condition_is_held(text: str, holds: bool | None, found: str | None) -> None:
    if holds is None:
        with pytest.raises(ConditionError):
            compile_condition(text)
        return
    check = compile_condition(text).hold(SEEN)

    assert check.holds is holds
    if found is not None:
        assert check.found == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "status",
        "status =",
        "== 200",
        "status === 200",
        "status >== 200",
        "status <> 200",
        "status > ok",
        'json("a.b") == 1',
        "status in ,",
        "x" * 600,
    ],
)
def test_what_is_not_a_condition_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ConditionError) as refused:
        compile_condition(text)

    assert refused.value.message


def test_the_level_is_read_from_the_front() -> None:
    assert Level.WARN is compile_condition("warn: status == 200").level
    assert compile_condition("warn: status == 200").text == "status == 200"
    assert Level.FAIL is compile_condition("status == 200").level


def test_a_body_that_is_not_json_holds_nothing() -> None:
    observation = Observation(content={"body": "<html>"})

    assert not compile_condition('json("$.a") == 1').hold(observation).holds


@given(st.text(max_size=80))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    """Never anything but a condition or a ConditionError; and holding it never raises."""
    try:
        condition = compile_condition(text)
    except ConditionError:
        return
    condition.hold(SEEN)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_document_can_be_held_against(document: object) -> None:
    observation = Observation(facts={"a": document}, content={"json": document})
    for text in ("a == 1", "a in 1-2,x", 'a contains "x"', "a > 1", 'json("$.a[0].length()") < 3'):
        compile_condition(text).hold(observation)


HUGE = "9" * 400
DEEP = "[" * 900 + "]" * 900


@pytest.mark.parametrize(
    "value", [HUGE, f"-{HUGE}", DEEP, r'"\ud800"', r'["\udfff"]', "NaN", "1e999"]
)
@pytest.mark.parametrize(
    "test", ["< 100", "== 5", "in 1-5", "not in 1-5,a", "contains x", "starts with x"]
)
def test_whatever_a_document_holds_a_condition_is_held_and_can_be_written_down(
    value: str, test: str
) -> None:
    seen = Observation(content={"body": f'{{"depth": {value}}}'})

    check = compile_condition(f'json("$.depth") {test}').hold(seen)

    assert len(check.found) <= 200
    assert msgspec.json.encode(check)


def test_a_number_beyond_every_float_is_still_compared() -> None:
    seen = Observation(content={"body": f'{{"depth": {HUGE}, "low": -{HUGE}}}'})

    assert not compile_condition('json("$.depth") < 100').hold(seen).holds
    assert compile_condition('json("$.low") < 100').hold(seen).holds
