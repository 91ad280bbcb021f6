"""The pages of docs/ that are written from the code: `make docs` writes them, a test compares them."""

import importlib

from house.tree import ROOT

GENERATED = {
    "docs/configuration.md": "lifesign.config.reference",
    "docs/kinds.md": "lifesign.service.reference",
    "docs/mcp-servers.md": "lifesign.probes.mcp.reference",
    "docs/testing.md": "lifesign.testing.reference",
}

MARK = "<!-- What follows is written from the code: make docs -->\n"
"""A page that has it was written by hand down to it."""


def rendered(page: str) -> str:
    """What the page should say."""
    text: str = importlib.import_module(GENERATED[page]).render()
    by_hand, mark, _ = (ROOT / page).read_text("utf-8").partition(MARK)
    return by_hand + mark + text if mark else text


def main() -> None:
    """Write every page."""
    for page in GENERATED:
        (ROOT / page).write_text(rendered(page), "utf-8")


if __name__ == "__main__":
    main()
