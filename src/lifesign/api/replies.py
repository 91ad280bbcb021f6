"""Answers: JSON straight from the service's views, versions as ETags, bodies as JSON objects."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Depends
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from lifesign.api.problems import Problem
from lifesign.core.errors import InvalidError, LifesignError, StaleError

T = TypeVar("T")

MEDIA_TYPE = "application/json"
_ETAG = re.compile(r'"(\d{1,9})(?:-[0-9a-f]+)?"')


class Listing(BaseModel, Generic[T]):
    """One page of a listing. Ask again with `cursor=<next_cursor>` until there is none."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="Opaque; null on the last page.")
    total: int | None = Field(default=None, description="How many there are in all, where known.")


class UnreadableError(LifesignError):
    """The body is not a JSON object."""

    status = 400
    code = "unreadable"


class MediaTypeError(LifesignError):
    """The body is of a type that is not read here."""

    status = 415
    code = "media_type"


def reply(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The value as JSON."""
    return Response(
        msgspec.json.encode(value),
        status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def versioned(
    request: Request, value: object, *, version: int, status: int = 200, location: str = ""
) -> Response:
    """The value with its ETag, or 304 when the caller has exactly this already.

    The tag is `"<version>-<hash>"`: the hash tells one answer from another (a state that changed), while
    `If-Match` only looks at the version (somebody else's change).
    """
    content = msgspec.json.encode(value)
    tag = f'"{version}-{hashlib.blake2b(content, digest_size=8).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if location:
        headers["location"] = location
    if request.method in ("GET", "HEAD") and _has(request, tag):
        return Response(None, 304, headers=headers)
    return Response(content, status, media_type=MEDIA_TYPE, headers=headers)


def _has(request: Request, tag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    tags = [each.strip().removeprefix("W/") for each in given.split(",")]
    return tag in tags or "*" in tags


def expected_version(request: Request) -> int | None:
    """The version that `If-Match` asks for; None without one. Raises StaleError for a tag that is none of ours."""
    given = request.headers.get("if-match", "").strip()
    if not given or given == "*":
        return None
    match = _ETAG.fullmatch(given)
    if match is None:
        raise StaleError(
            "If-Match does not name a version of this thing.",
            remedy="Send the ETag of the answer that you are changing.",
        )
    return int(match[1])


def check_version(version: int, expected: int | None) -> None:
    """Raise StaleError unless the version is the expected one."""
    if expected not in {None, version}:
        raise StaleError(
            f"It is at version {version}, not {expected}.",
            remedy="Read it again and repeat the change on what is there now.",
        )


async def _json_object(request: Request) -> dict[str, Any]:
    media_type = request.headers.get("content-type", MEDIA_TYPE).split(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise MediaTypeError(
            f"The body is {media_type[:100]}.", remedy="Send JSON, as application/json."
        )
    content = await request.body()
    try:
        value = msgspec.json.decode(content or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidError(
            "The body is not a JSON object.", problems=(("body", "is not a JSON object"),)
        )
    return value


JSONObject = Annotated[dict[str, Any], Depends(_json_object)]
"""The request's body; what is in it is judged by the service, which knows what was probably meant."""


def takes(
    model: type[BaseModel], *, partial: bool = False, required: bool = True
) -> dict[str, Any]:
    """The documentation of a body (the model is listed among the schemas by `api.app`)."""
    more = " Only what is to change; null takes a setting out." if partial else ""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {
            "description": (model.__doc__ or "").strip().splitlines()[0] + more,
            "required": required,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
    }


def _refusal(description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: _refusal("The body is not JSON."),
    401: _refusal("No valid session or token came with the request."),
    403: _refusal("The caller is known but may not do this."),
    404: _refusal("There is no such thing."),
    409: _refusal("The name is taken, the thing is read-only, or its state does not allow this."),
    412: _refusal("The thing changed since it was read."),
    413: _refusal("The body is larger than 1 MiB."),
    415: _refusal("The body is not application/json."),
    422: _refusal("What was given cannot be used; `problems` say why."),
    429: _refusal("Too many failed attempts; see Retry-After."),
    500: _refusal("Lifesign itself failed."),
    503: _refusal("A bound was reached or the database refused; see Retry-After."),
}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "If-None-Match: unchanged."}}
