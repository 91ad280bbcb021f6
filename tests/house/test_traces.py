"""Nothing that is tracked says where packages were fetched from, or names a path of somebody's machine."""

import re

from house.tree import ROOT, text_of, tracked

# Written in pieces, so that this file does not find itself.
MACHINES = "|".join(("/" + "root/", "/" + r"home/\w", "/" + r"Users/\w", r"[A-Z]:\\Users"))
INDEXES = re.compile(r"https?://|--(extra-)?index-url|--find-links|--trusted-host")
FOREIGN_CODE = ("src/lifesign/web/static/vendor/",)


def found(pattern: str) -> dict[str, str]:
    hits = {}
    for path in tracked():
        if path.startswith(FOREIGN_CODE):
            continue
        match = re.search(pattern, text_of(path) or "")
        if match:
            hits[path] = match.group()
    return hits


def test_the_pins_name_no_index_to_fetch_from() -> None:
    pins = sorted((ROOT / "requirements").iterdir())

    assert pins
    assert [path.name for path in pins if INDEXES.search(path.read_text("utf-8"))] == []
    assert INDEXES.search((ROOT / "pyproject.toml").read_text("utf-8")) is None


def test_no_machine_path() -> None:
    assert found(MACHINES) == {}


def test_the_node_lock_file_records_no_addresses() -> None:
    lock = (ROOT / "tests/e2e/package-lock.json").read_text("utf-8")

    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_every_pinned_package_has_a_hash() -> None:
    for path in ("serve", "dev", "foreign", "foreign-modern"):
        text = (ROOT / f"requirements/{path}.txt").read_text("utf-8")
        pins = re.findall(r"^[a-z0-9][^\n]*==[^\n]*(?:\n    [^\n]*)*", text, re.MULTILINE)

        assert pins
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
