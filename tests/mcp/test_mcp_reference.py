"""The page about assistants cannot fall behind the tools."""

from pathlib import Path

from lifesign.mcp.reference import render

PAGE = Path(__file__).parents[2] / "docs/mcp.md"


def test_the_committed_page_is_what_the_tools_say() -> None:
    assert render() == PAGE.read_text("utf-8"), (
        "run: python -m lifesign.mcp.reference > docs/mcp.md"
    )
