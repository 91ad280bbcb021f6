"""What may be written of a canary, in settings and in a file of its own, and the page that says so."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lifesign.config.problems import ConfigError
from lifesign.probes.mcp.checks.canary_file import read_canaries
from lifesign.probes.mcp.checks.canary_settings import SUBJECTS, Canary
from lifesign.probes.mcp.checks.health_settings import SUBJECTS as HEALTH_SUBJECTS
from lifesign.probes.mcp.checks.health_settings import HealthURL
from lifesign.probes.mcp.codes import CODES
from servers.mcp_canary import canary


def test_a_canary_of_one_call_needs_no_steps() -> None:
    short = Canary.model_validate(
        {"name": "a", "tool": "echo", "arguments": {"text": "x"}, "expect": ["text == x"]}
    )

    assert (
        canary({"tool": "echo", "arguments": {"text": "x"}, "expect": ["text == x"]}, name="a")
        == short
    )
    assert timedelta(minutes=5) == short.every
    assert Canary.model_validate(short.model_dump(mode="json")) == short


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"steps": []}, "at least 1"),
        ({"name": "Two words"}, "pattern"),
        ({"every": "5"}, "no unit"),
        ({"timeout": "2h"}, "between"),
        ({"concurrency": 51}, "less than or equal to 50"),
        ({"weight": "much"}, "fails"),
        ({"steps": [{"tool": "a", "expect": ["txt == 1"]}]}, "did you mean 'text'"),
        ({"steps": [{"tool": "a", "expect": ["queue.depth == 1"]}]}, "known are is_error"),
        (
            {"steps": [{"tool": "a", "expect": ["text matches '(a'"]}]},
            "cannot be read at character 1",
        ),
        ({"steps": [{"tool": "a", "expect": ['header("a") == 1']}]}, "nothing called"),
        ({"steps": [{"tool": "a", "take": {"x": "$.a..b"}}]}, "character 4"),
        ({"steps": [{"tool": "a", "take": {"run": "$.a"}}]}, "is given"),
        ({"steps": [{"tool": "a", "take": {"a b": "$.a"}}]}, "pattern"),
        ({"steps": [{"tool": "a", "poll": {"within": "3s"}}]}, "needs an expectation"),
        ({"steps": [{"tool": "a", "arguments": {"x": "${later}"}}]}, "step 1 uses"),
        ({"steps": [{"tool": "a", "oops": 1}]}, "oops"),
        ({"steps": [{"tool": "a", "arguments": {"x": "\ud800"}}]}, "whole characters"),
        ({"steps": [{"tool": "a", "arguments": {"x": float("nan")}}]}, "no NaN"),
        ({"steps": [{"tool": "a", "arguments": {"x": "y" * 70_000}}]}, "64 KiB"),
        (
            {"steps": [{"tool": "a", "expect": ["text == b"], "poll": {"within": "30s"}}]},
            "step 1 polls for up to 30s, and the canary has 10s in all",
        ),
    ],
)
def test_a_canary_that_cannot_work_is_refused(told: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Canary.model_validate({"name": "a", "steps": [{"tool": "a"}]} | told)

    assert what in str(refused.value)


FILE = """
canaries:
  - name: search
    every: 1m
    tool: search_documents
    arguments: {query: "${env:WORD}", limit: 3}
    expect:
      - json("$.total_results") > 0
  - name: notes
    allow_writes: true
    weight: degrades
    steps:
      - tool: write_note
        arguments: {name: "${run}", text: hello}
      - tool: read_note
        arguments: {name: "${run}"}
        expect: ['text == "hello"']
        poll: {every: 200ms, within: 5s}
      - tool: delete_note
        arguments: {name: "${run}"}
        cleanup: true
"""


def test_a_file_of_canaries_is_read() -> None:
    search, notes = read_canaries(FILE, environ={"WORD": "bees"})

    assert search.steps[0].arguments == {"query": "bees", "limit": 3}
    assert (notes.name, len(notes.steps), notes.steps[2].cleanup) == ("notes", 3, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("canaries:\n  - name: a\n    tol: b\n", "c.yaml:3:5: canaries[0].tol"),
        ("canaries:\n  - name: a\n    tool: b\n    every: 5\n", "c.yaml:4:5: canaries[0].every"),
        (
            "canaries:\n  - name: a\n    steps:\n      - tool: b\n        expect:\n          - txt == 1\n",
            "c.yaml:6:13: canaries[0].steps[0].expect[0]",
        ),
        (
            "canaries:\n  - name: a\n    tool: b\n    expect:\n      - txt == 1\n",
            "c.yaml:5:9: canaries[0].expect[0]",
        ),
        ("canaries: [\n", "c.yaml:2:1"),
        ("canaries: []\n", "c.yaml:1:1: canaries"),
        ("- a\n", "c.yaml:1:1"),
        ("", "c.yaml: canaries"),
        ("canaries:\n  - {name: a, tool: b, arguments: {x: '${env:NONE}'}}\n", "NONE is not set"),
        (
            "canaries:\n  - {name: a, tool: b}\n  - {name: a, tool: c}\n",
            "two canaries are called 'a'",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_canaries(text, source="c.yaml")

    assert told.lower() in str(refused.value).lower()


YAML_WORDS = st.sampled_from(
    ["canaries:", "\n  - ", "name: a", "tool: b", "\n    ", "steps:", "[", "]", "{", "}", ": ", "expect", "take", "&a",
     "*a", "<<: *a", "5m", "every", "poll", "'", "text == 1", "arguments", "${run}", "~", "warn: x"]
)  # fmt: skip


@given(st.lists(YAML_WORDS, max_size=14).map("".join) | st.text(max_size=40))
def test_any_text_is_canaries_or_refused_with_a_reason(text: str) -> None:
    try:
        told: tuple[object, ...] = read_canaries(text)
    except ConfigError as refused:
        told = refused.findings
    assert told


PAGE = Path(__file__).parents[3] / "docs" / "canaries.md"


def test_every_example_of_the_page_is_one() -> None:
    blocks = [
        yaml.safe_load(block)
        for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    ]
    canaries = [
        canary
        for block in blocks
        for canary in (block if isinstance(block, list) else block["settings"].get("canaries", ()))
    ]
    urls = [
        url
        for block in blocks
        if isinstance(block, dict)
        for url in block["settings"].get("health", ())
    ]

    assert [Canary.model_validate(each).name for each in canaries] == ["search", "round_trip"]
    assert [HealthURL.model_validate(each).name for each in urls] == ["ready"]


@pytest.mark.parametrize("layer", ["tools_call", "health_url"])
def test_every_code_is_on_the_page(layer: str) -> None:
    page = PAGE.read_text()
    missing = [code for where, code in CODES if where == layer and f"{code}`" not in page]

    assert missing == []


@pytest.mark.parametrize("subject", [*SUBJECTS, *HEALTH_SUBJECTS])
def test_every_subject_is_on_the_page(subject: str) -> None:
    assert f"`{subject}`" in PAGE.read_text()


def test_a_wrong_step_is_told_alone_and_not_as_a_missing_one() -> None:
    text = "canaries:\n  - name: a\n    steps:\n      - tool: echo\n        expects: []\n"

    with pytest.raises(ConfigError) as caught:
        read_canaries(text)

    assert "expects: There is no such setting. Did you mean 'expect'?" in str(caught.value)
    assert "at least 1" not in str(caught.value)


def test_what_is_misspelt_in_a_short_canary_is_told_where_it_stands_and_as_it_was_meant() -> None:
    text = "canaries:\n  - name: a\n    tool: echo\n    arguements: {}\n  - name: b\n    tol: echo\n    expect: []\n"

    with pytest.raises(ConfigError) as caught:
        read_canaries(text, source="c.yaml")

    told = str(caught.value)
    assert (
        "c.yaml:4:5: canaries[0].arguements: There is no such setting. Did you mean 'arguments'?"
        in told
    )
    assert "c.yaml:6:5: canaries[1].tol: There is no such setting. Did you mean 'tool'?" in told
    assert "expect: There is no such" not in told
