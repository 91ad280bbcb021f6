"""The documentation cannot fall behind the code."""

import re

import pytest

from house.pages import GENERATED, rendered
from house.tree import ROOT
from lifesign.core.condition import compile_condition


@pytest.mark.parametrize("page", GENERATED)
def test_a_generated_page_is_what_the_code_says(page: str) -> None:
    written = (ROOT / page).read_text("utf-8")

    assert rendered(page) == written, "run: make docs"


def test_every_condition_on_the_page_can_be_used() -> None:
    page = (ROOT / "docs/conditions.md").read_text("utf-8")
    examples = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)

    assert [compile_condition(example).text for example in examples] == [
        re.sub(r"^(warn|info|fail): ", "", example) for example in examples
    ]
    assert len(examples) > 8


def test_every_setting_and_fact_of_a_kind_is_described() -> None:
    rows = re.findall(r"^\| `[^`]+` \| .*$", rendered("docs/kinds.md"), re.MULTILINE)

    assert rows
    assert [row for row in rows if re.search(r"\| [^|]+\. +\|", row) is None] == []
