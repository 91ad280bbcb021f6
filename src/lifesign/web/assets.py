"""Static files: read once, fingerprinted together, served compressed and cacheable for ever.

The fingerprint covers every file and stands in the path before the name, so that relative addresses
inside the style sheet and between script modules stay right and need no rewriting.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_COMPRESSIBLE = {".css", ".js", ".svg", ".webmanifest"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out: its bytes, and the same compressed where that helps."""

    media_type: str
    body: bytes
    compressed: bytes | None


class Assets:
    """Every static file of the web face, by its path below `static/`."""

    def __init__(self, files: Mapping[str, Asset], *, fingerprint: str) -> None:
        self._files = dict(files)
        self.fingerprint = fingerprint

    def url(self, name: str) -> str:
        """The address of a file. Raises LookupError for a file that does not exist."""
        if name not in self._files:
            raise LookupError(f"There is no static file {name!r}.")
        return f"/static/{self.fingerprint}/{name}"

    def route(self) -> Route:
        """The route that serves them; no session is asked for, since nothing here is private."""
        return Route("/static/{fingerprint}/{name:path}", self._serve, methods=["GET"])

    async def _serve(self, request: Request) -> Response:
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            return Response("There is no such file.", status_code=404, media_type="text/plain")
        headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"}
        if request.path_params["fingerprint"] != self.fingerprint:
            headers["Cache-Control"] = "no-cache"
        body = asset.body
        if asset.compressed is not None:
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                headers["Content-Encoding"] = "gzip"
                body = asset.compressed
        return Response(body, media_type=asset.media_type, headers=headers)


def load_assets(folder: Path = FOLDER) -> Assets:
    """Read and compress every servable file below `folder`; licences and notes are not served."""
    files: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _TYPES:
            continue
        body = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        digest.update(name.encode() + b"\0" + body)
        small = gzip.compress(body, 9, mtime=0) if path.suffix in _COMPRESSIBLE else None
        files[name] = Asset(_TYPES[path.suffix], body, small)
    return Assets(files, fingerprint=digest.hexdigest()[:12])
