"""What the pages promise exists: commands, targets, links, reasons."""

import re
from pathlib import Path

import pytest

from house.tree import ROOT, tracked

PAGES = [path for path in tracked() if path.endswith(".md")]


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_every_make_command_on_a_page_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    used = set(re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE))

    assert used - targets() == set()


def test_the_readme_starts_with_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.search(r"```[a-z]*\n(.*?)```", readme, re.DOTALL)

    assert first is not None
    commands = [line.split("#")[0].strip() for line in first[1].strip().splitlines()]
    assert commands == ["make serve", "make test"]


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_on_a_page_leads_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)|(?:src|srcset)=\"([^\"]+)\"", text)
    paths = {
        a or b for a, b in links if "://" not in (a or b) and not (a or b).startswith("mailto:")
    }

    assert [link for link in sorted(paths) if not (ROOT / Path(page).parent / link).exists()] == []


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8").split("[project.scripts]")[0]
    wanted = project.split("\ndependencies = [")[1]
    lines = re.findall(r"^ +\"[^\n]+|^[a-z]+ = \[\"[^\n]+", wanted, re.MULTILINE)

    assert lines
    assert [line for line in lines if not re.search(r"#\s+\S", line)] == []
