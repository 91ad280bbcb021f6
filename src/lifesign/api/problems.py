"""Every error as one shape: `application/problem+json` (RFC 9457) with what to do about it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lifesign.config.phrasing import sentence_of
from lifesign.core.errors import InvalidError, LifesignError

MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """One thing that is wrong with what was sent."""

    field: str = Field(description="Where: `settings.url`, `conditions[1]`, `limit`.")
    reason: str = Field(description="What is wrong there, and what was probably meant.")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="`urn:lifesign:problem:<code>`; stable.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="The stable word for programs.")
    detail: str = Field(description="What happened, for people.")
    remedy: str = Field(default="", description="What to do about it.")
    problems: list[FieldProblem] = Field(
        default_factory=list, description="What is wrong, field by field."
    )


def problem_response(
    *,
    status: int,
    code: str,
    detail: str,
    remedy: str = "",
    problems: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response that says what is wrong."""
    body = {
        "type": f"urn:lifesign:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "remedy": remedy,
        "problems": [{"field": field, "reason": reason} for field, reason in problems],
    }
    content = msgspec.json.encode(body)
    return Response(
        content,
        status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def error_response(error: LifesignError) -> Response:
    """The response for one of our own errors."""
    problems = error.problems if isinstance(error, InvalidError) else ()
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="lifesign"'
    if error.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["retry-after"] = str(getattr(error, "retry_after_s", 2))
    return problem_response(
        status=error.status,
        code=error.code,
        detail=error.message,
        remedy=error.remedy,
        problems=problems,
        headers=headers,
    )


def add_error_pages(app: FastAPI) -> None:
    """Give the application one answer for each way in which a request can fail."""
    app.add_exception_handler(LifesignError, _ours)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _bug)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, LifesignError)  # noqa: S101 - registered for this class only
    return error_response(error)


async def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    problems = [
        (_field(detail["loc"]), sentence_of(detail).removesuffix(".")) for detail in error.errors()
    ]
    said = "; ".join(f"{field}: {reason}" for field, reason in problems)
    return problem_response(
        status=422,
        code="invalid",
        detail=f"The request cannot be used as written: {said}.",
        problems=problems,
        remedy="See /api/v1/openapi.json for what this address takes.",
    )


def _field(loc: Sequence[Any]) -> str:
    """`("body", "tags", 0)` as people write it: `tags[0]`."""
    text = ""
    for part in loc[1:] if len(loc) > 1 else loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    remedies = {
        404: "See /api/v1/openapi.json for the addresses there are.",
        405: "See the Allow header for the methods there are.",
    }
    detail = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.url.path} does not take {request.method}.",
    }.get(error.status_code, str(error.detail))
    return problem_response(
        status=error.status_code,
        code=HTTPStatus(error.status_code).name.lower(),
        detail=detail,
        remedy=remedies.get(error.status_code, ""),
        headers=error.headers,
    )


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
    return problem_response(
        status=500,
        code="internal",
        detail="Lifesign itself failed; nothing is wrong with the request.",
        remedy="Look for request_failed in Lifesign's log and report it.",
    )
