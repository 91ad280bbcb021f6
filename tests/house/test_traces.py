"""Nothing that is tracked names a package registry or a path of somebody's machine."""

import re

from house.tree import ROOT, text_of, tracked

# Written in pieces, so that this file does not find itself.
REGISTRIES = "|".join(
    re.escape(".".join(parts))
    for parts in (
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("pypi", "org/simple"),
        ("proxy", "golang", "org"),
    )
)
MACHINES = "|".join(
    ("/" + "work/", "/" + "root/", "/" + r"home/\w", "/" + r"Users/\w", "/" + "tmp/boot")
)
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


def test_no_registry_host() -> None:
    assert found(REGISTRIES) == {}


def test_no_machine_path() -> None:
    assert found(MACHINES) == {}


def test_the_node_lock_file_records_no_addresses() -> None:
    lock = (ROOT / "tests/e2e/package-lock.json").read_text("utf-8")

    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_every_pinned_package_has_a_hash() -> None:
    for path in ("serve", "dev", "foreign"):
        text = (ROOT / f"requirements/{path}.txt").read_text("utf-8")
        pins = re.findall(r"^[a-z0-9][^\n]*==[^\n]*(?:\n    [^\n]*)*", text, re.MULTILINE)

        assert pins
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
