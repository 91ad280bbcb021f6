"""The examples of docs/testing.md do what the page says."""

import re

import pytest

from house.tree import ROOT

PAGE = (ROOT / "docs/testing.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHELL = re.findall(r"^    python -m lifesign\.testing *([^#\n]*)", PAGE, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_read(example: str) -> None:
    compile(example, "docs/testing.md", "exec", dont_inherit=True)


def test_every_way_to_shape_the_server_is_taken() -> None:
    (shaping,) = (example for example in EXAMPLES if "merged" in example)

    exec(shaping, {})


def test_every_command_is_understood() -> None:
    from lifesign.testing.__main__ import _parser

    asked = [_parser().parse_args(words.split()) for words in SHELL]

    assert len(asked) > 4
    assert {words.mode for words in asked} == {"http", "sse", "stdio", "health"}
