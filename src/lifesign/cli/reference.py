"""`docs/cli.md`, written from the commands' own help: `python -m lifesign.cli.reference`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from lifesign.cli.main import COMMANDS, execute, load_command

_WIDTH = "100"
_INTRODUCTION = """\
# Commands

<!-- Written by `python -m lifesign.cli.reference`; edit the commands in src/lifesign/cli. -->

Commands that speak to Lifesign find it in this order:

1. `--url` or `LIFESIGN_URL`, with the token in `LIFESIGN_TOKEN` or in the file `LIFESIGN_TOKEN_FILE`;
2. the daemon that runs on the data directory (`--data`, `LIFESIGN_DATA`, else `./data`), whose `daemon.json` only its
   own user can read;
3. the database in that directory, for commands that only read and for tokens, where no daemon runs.

Results go to stdout, everything else to stderr. With `--json` the result is one JSON document in the shapes of the REST
interface. States are a shape, a word and, on a terminal without `NO_COLOR`, a colour.

| exit code | meaning |
|---|---|
| 0 | done; `probe` and `monitor run`: up; `load`: within its limits |
| 1 | it failed; `doctor`: something must be mended; `probe`: a baseline or report cannot be read or written |
| 2 | `probe` and `monitor run`: not up, or what `--fail-on` names; `load`: over a limit, or not greeted; `surface diff`: they differ; `manifest check` and `diff`: drift |
| 3 | not allowed: no token, a wrong one, or one of too small a grant |
| 4 | there is no such thing |
| 5 | a conflict: the name is taken, it is read-only, it changed, its state does not allow this |
| 64 | the command line cannot be used |
| 130 | interrupted |
"""


def render() -> str:
    """The whole page."""
    return _INTRODUCTION + "".join(_sections())


def _sections() -> Iterator[str]:
    for name in COMMANDS:
        yield _section(name, level="##")
        for part in getattr(load_command(name), "commands", ()):
            yield _section(name, part, level="###")


def _section(*path: str, level: str) -> str:
    shown = StringIO()
    with _fixed_width(), redirect_stdout(shown):
        execute([*path, "--help"])
    text = "\n".join(line.rstrip() for line in shown.getvalue().strip().splitlines())
    return f"\n{level} lifesign {' '.join(path)}\n\n```text\n{text}\n```\n"


@contextmanager
def _fixed_width() -> Iterator[None]:
    """The same page on every terminal."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDTH
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


if __name__ == "__main__":
    sys.stdout.write(render())
