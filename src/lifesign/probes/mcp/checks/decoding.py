"""Whether the bytes of an image, a sound or a document are what their media type says. Pure.

The first bytes are compared with the signature of the type (https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern),
and where a format says how it ends or how long it is, that too: half a picture is a common silent failure.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Check = Callable[[bytes], bool]

_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_PDF_START, _PDF_END = 1024, 2048
"""Readers look this far for the header and the trailer of a PDF (ISO 32000-1, annex H.3)."""

_STREAMED = frozenset({0, 0x7FFFFFFF, 0xFFFFFFFF})
"""Sizes that programs write into a WAV file when they do not know its length yet."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """How many bytes a text of base64 stands for, and whether they are of their media type."""

    size: int
    is_sound: bool


def decode(text: object, mime: str) -> Decoded:
    """Decode base64 and look at the bytes. A type that is not known here passes when it is base64 and not empty."""
    if not isinstance(text, str):
        return Decoded(0, is_sound=False)
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Decoded(0, is_sound=False)
    kind = mime.partition(";")[0].strip().lower()
    looks_right = _CHECKS.get(_ALIASES.get(kind, kind)) or _by_family(kind)
    return Decoded(len(content), is_sound=bool(content) and looks_right(content))


def _by_family(kind: str) -> Check:
    if kind.endswith(("+json", "/json")):
        return _is_json
    if kind.startswith("text/") or kind.endswith("+xml"):
        return _is_utf8
    return bool


def _starts(*signatures: bytes) -> Check:
    return lambda content: content.startswith(signatures)


def _is_png(content: bytes) -> bool:
    return content.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in content[-16:]


def _is_jpeg(content: bytes) -> bool:
    return content.startswith(b"\xff\xd8\xff") and content.rfind(b"\xff\xd9") > 0


def _is_gif(content: bytes) -> bool:
    return content.startswith((b"GIF87a", b"GIF89a")) and content.rstrip(b"\0").endswith(b";")


def _is_webp(content: bytes) -> bool:
    return _is_riff(content, b"WEBP") and len(content) >= _riff_size(content) + 8


def _is_wav(content: bytes) -> bool:
    if not _is_riff(content, b"WAVE"):
        return False
    size = _riff_size(content)
    return size in _STREAMED or len(content) >= size + 8


def _is_riff(content: bytes, form: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == form


def _riff_size(content: bytes) -> int:
    return int.from_bytes(content[4:8], "little")


def _is_svg(content: bytes) -> bool:
    return (
        _is_utf8(content)
        and _SVG.search(content[:8192]) is not None
        and b"</svg" in content[-64:].lower()
    )


def _is_pdf(content: bytes) -> bool:
    return b"%PDF-" in content[:_PDF_START] and b"%%EOF" in content[-_PDF_END:]


def _is_mp3(content: bytes) -> bool:
    """An ID3 tag, or the eleven set bits that every frame begins with."""
    return content.startswith(b"ID3") or (content[:1] == b"\xff" and content[1:2] >= b"\xe0")


def _is_mp4(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


_CHECKS: Mapping[str, Check] = {
    "image/png": _is_png,
    "image/jpeg": _is_jpeg,
    "image/gif": _is_gif,
    "image/webp": _is_webp,
    "image/svg+xml": _is_svg,
    "image/bmp": _starts(b"BM"),
    "image/tiff": _starts(b"II*\0", b"MM\0*"),
    "image/x-icon": _starts(b"\0\0\x01\0"),
    "image/avif": _is_mp4,
    "image/heic": _is_mp4,
    "application/pdf": _is_pdf,
    "application/zip": _starts(b"PK\x03\x04", b"PK\x05\x06"),
    "application/gzip": _starts(b"\x1f\x8b"),
    "audio/wav": _is_wav,
    "audio/mpeg": _is_mp3,
    "audio/ogg": _starts(b"OggS"),
    "audio/flac": _starts(b"fLaC"),
    "audio/aac": _starts(b"\xff\xf1", b"\xff\xf9", b"ADIF"),
    "audio/mp4": _is_mp4,
    "audio/webm": _starts(b"\x1a\x45\xdf\xa3"),
    "video/mp4": _is_mp4,
    "video/webm": _starts(b"\x1a\x45\xdf\xa3"),
}
_ALIASES: Mapping[str, str] = {
    "image/jpg": "image/jpeg",
    "image/vnd.microsoft.icon": "image/x-icon",
    "image/heif": "image/heic",
    "application/x-pdf": "application/pdf",
    "application/x-gzip": "application/gzip",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "application/ogg": "audio/ogg",
    "audio/opus": "audio/ogg",
}
