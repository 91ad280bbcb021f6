"""A surface as a file for a repository: JSON that git can show line by line, and that cannot be edited unnoticed.

    {"lifesign_manifest": 1, "digest": "v1:…", "hashes": {…}, "server": {…}, "surface": {…}}

`surface` is the document that the digest names, laid out with two blanks a level. Characters that cannot be seen are
written as escapes, so that a review sees them. The same surface always gives the same file.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from lifesign.core.drift.canonical import CanonicalError
from lifesign.core.drift.hashes import surface_of
from lifesign.core.errors import LifesignError
from lifesign.core.model import Surface

FORMAT = 1
_KEY = "lifesign_manifest"
_ANEW = "Write it anew with `lifesign manifest snapshot URL -o FILE`."
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn"})
"""Unicode categories of what a reader cannot see: controls, formats, separators of lines, private and unassigned."""


class ManifestError(LifesignError):
    """A manifest cannot be used: it is broken, of another format, or does not say what its digest names."""

    status = 422
    code = "manifest"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One surface as it was written down: its document, its names and who the server said it was."""

    document: bytes
    digest: str
    hashes: Mapping[str, str]
    server: Mapping[str, object]

    @property
    def tool_count(self) -> int:
        """How many tools are published."""
        return len(msgspec.json.decode(self.document)["tools"])


def manifest_of(document: bytes) -> Manifest:
    """The manifest of a document as `surface_of` writes it."""
    said = msgspec.json.decode(document)
    return _manifest(surface_of(said), said.get("serverInfo"))


def dump(manifest: Manifest) -> str:
    """The file: stable to the byte, and ending in a line feed."""
    whole = {
        _KEY: FORMAT,
        "digest": manifest.digest,
        "hashes": dict(manifest.hashes),
        "server": dict(manifest.server),
        "surface": msgspec.json.decode(manifest.document),
    }
    text = json.dumps(whole, ensure_ascii=False, indent=2)
    return "".join(letter if letter == "\n" else _seen(letter) for letter in text) + "\n"


def load(text: str, *, source: str) -> Manifest:
    """Read a file that `dump` wrote; `source` names it in errors. Raises ManifestError."""
    said = _parsed(text, source)
    version = said.get(_KEY)
    if version != FORMAT or isinstance(version, bool):
        raise ManifestError(
            f"{source} is no manifest of format {FORMAT}: its `{_KEY}` is {_short(version)}.",
            remedy=f"A newer format needs a newer Lifesign. {_ANEW}",
        )
    surface = said.get("surface")
    if not isinstance(surface, dict):
        raise ManifestError(f"{source} has no `surface`: {_short(surface)}.", remedy=_ANEW)
    try:
        found = surface_of(surface)
    except CanonicalError as error:
        raise ManifestError(f"{source} cannot be read: {error}", remedy=_ANEW) from None
    _require_unedited(said, found, source)
    return _manifest(found, surface.get("serverInfo"))


def _manifest(surface: Surface, server: object) -> Manifest:
    return Manifest(
        document=surface.document or b"",
        digest=surface.digest,
        hashes=MappingProxyType(dict(surface.hashes)),
        server=MappingProxyType(dict(server) if isinstance(server, dict) else {}),
    )


def _parsed(text: str, source: str) -> dict[str, object]:
    try:
        said = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        if "<<<<<<<" in text and ">>>>>>>" in text:
            raise ManifestError(
                f"{source} holds the marks of a merge that is not finished.",
                remedy=f"A manifest is not merged by hand. {_ANEW}",
            ) from None
        raise ManifestError(f"{source} is no JSON{where}.", remedy=_ANEW) from None
    if not isinstance(said, dict):
        raise ManifestError(f"{source} is no JSON object but {_short(said)}.", remedy=_ANEW)
    return said


def _require_unedited(said: Mapping[str, object], found: Surface, source: str) -> None:
    if said.get("digest") == found.digest and said.get("hashes") == dict(found.hashes):
        return
    raise ManifestError(
        f"{source} was edited by hand, or merged: its digest is {_short(said.get('digest'))}, and that of what it "
        f"holds is {found.digest}.",
        remedy=_ANEW,
    )


def _seen(letter: str) -> str:
    if letter.isascii() and letter.isprintable():
        return letter
    if unicodedata.category(letter) not in _UNSEEN:
        return letter
    return json.dumps(letter)[1:-1]


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
