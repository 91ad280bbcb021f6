"""Configuration files written for one test."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a configuration file and say where."""

    def write(text: str) -> Path:
        path = tmp_path / "lifesign.yaml"
        path.write_text(dedent(text).lstrip("\n"), "utf-8")
        return path

    return write
