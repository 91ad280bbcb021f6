"""A manifest says the same as the server did, reads well in a diff, and cannot be edited unnoticed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.drift.hashes import surface_of
from lifesign.core.drift.manifest import ManifestError, dump, load, manifest_of

PARTS: dict[str, Any] = {
    "tools": [
        {
            "name": "add",
            "description": "Adds – plainly.\u200b Nothing hidden.",
            "inputSchema": {"type": "object", "properties": {"a": {"maximum": 1e22, "default": 0.1}}},
        }
    ],
    "serverInfo": {"name": "sums", "version": "1.2"},
    "capabilities": {"tools": {}},
}  # fmt: skip


def written(**changed: Any) -> str:
    return dump(manifest_of(surface_of(PARTS | changed).document or b""))


def test_what_is_written_is_read_again() -> None:
    surface = surface_of(PARTS)

    manifest = load(written(), source="m.json")

    assert (manifest.document, manifest.digest) == (surface.document, surface.digest)
    assert dict(manifest.hashes) == surface.hashes
    assert (dict(manifest.server), manifest.tool_count) == (PARTS["serverInfo"], 1)
    assert dump(manifest) == written()


def test_a_file_is_json_that_git_can_show() -> None:
    text = written()

    said = json.loads(text)
    assert list(said) == ["lifesign_manifest", "digest", "hashes", "server", "surface"]
    assert said["lifesign_manifest"] == 1
    assert '\n  "digest": "v1:' in text
    assert text.endswith("}\n")
    assert "Adds – plainly.\\u200b Nothing hidden." in text


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_any_schema_survives_the_file(schema: Any) -> None:
    parts = {"tools": [{"name": "x", "inputSchema": {"a": schema}}]}
    document = surface_of(parts).document or b""

    assert load(dump(manifest_of(document)), source="m").document == document


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = "\ufeff" + written().replace("\n", "\r\n")

    assert load(text, source="m").digest == surface_of(PARTS).digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "m.json is no JSON at line 1"),
        ("[]", "no JSON object but []"),
        ("{}", "its `lifesign_manifest` is null"),
        ('{"lifesign_manifest": 2}', "A newer format needs a newer Lifesign"),
        ('{"lifesign_manifest": true}', "no manifest of format 1"),
        ('{"lifesign_manifest": 1, "surface": 7}', "has no `surface`: 7"),
        ("<<<<<<< HEAD\n{}\n=======\n>>>>>>> main", "a merge that is not finished"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_a_broken_file_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(text, source="m.json")

    assert said in str(caught.value)
    assert "lifesign manifest snapshot" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [("Adds", "Subtracts"), ('"name": "add"', '"name": "del"'), ('"digest": "v1:', '"digest": "v1:0'),
     ('"version": "1.2"', '"version": "1.3"'), ('"names": "v1:', '"names": "v1:0')],
)  # fmt: skip
def test_an_edited_file_is_refused(before: str, after: str) -> None:
    text = written().replace(before, after)

    with pytest.raises(ManifestError, match="edited by hand"):
        load(text, source="m.json")
