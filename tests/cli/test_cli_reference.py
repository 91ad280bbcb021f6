"""The page about the commands cannot fall behind them."""

from pathlib import Path

from lifesign.cli.reference import render

PAGE = Path(__file__).parents[2] / "docs/cli.md"


def test_the_committed_page_is_what_the_commands_say():
    assert render() == PAGE.read_text("utf-8"), (
        "run: python -m lifesign.cli.reference > docs/cli.md"
    )
