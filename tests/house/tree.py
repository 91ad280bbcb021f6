"""What the house tests look at: the tracked files and the parsed modules."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import outside

ROOT = outside.ROOT
CODE = ("src/", "tests/", "bench/")


@cache
def tracked() -> tuple[str, ...]:
    """Paths of the files that are (or are about to be) under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(path for path in listed.stdout.splitlines() if (ROOT / path).is_file())


def modules() -> list[str]:
    """Paths of the Python modules that we wrote."""
    return [path for path in tracked() if path.endswith(".py") and path.startswith(CODE)]


def text_of(path: str) -> str | None:
    """The file's text, or None for what is not text."""
    try:
        return (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return None


def functions(path: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, nested ones too."""
    for node in ast.walk(ast.parse(Path(ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
