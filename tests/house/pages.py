"""The pages of docs/ that are written from the code: `make docs` writes them, a test compares them."""

import importlib

from house.tree import ROOT

GENERATED = {
    "docs/configuration.md": "lifesign.config.reference",
    "docs/kinds.md": "lifesign.service.reference",
}


def rendered(page: str) -> str:
    """What the page should say."""
    text: str = importlib.import_module(GENERATED[page]).render()
    return text


def main() -> None:
    """Write every page."""
    for page in GENERATED:
        (ROOT / page).write_text(rendered(page), "utf-8")


if __name__ == "__main__":
    main()
