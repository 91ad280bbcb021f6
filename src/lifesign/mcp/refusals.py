"""The answers of `/mcp` to requests that do not reach the protocol; each says what to do.

Challenges are those of RFC 6750 §3 (https://www.rfc-editor.org/rfc/rfc6750#section-3).
"""

from starlette.responses import JSONResponse, Response

from lifesign.core.errors import UnauthenticatedError


def bad_host() -> Response:
    """421: the Host header names somebody else."""
    return _refusal(
        421,
        "bad_host",
        "The Host header is not a name of this server. Set base_url (LIFESIGN_BASE_URL) to the address "
        "that clients use, or have the proxy pass that name on.",
    )


def bad_origin() -> Response:
    """403: a web page of somebody else is asking."""
    return _refusal(
        403,
        "bad_origin",
        "The Origin header is not this server. Web pages of other sites may not use it; set base_url "
        "when the page is served under another name of this server.",
    )


def no_metadata() -> Response:
    """404: clients look for an OAuth server after a 401; there is none, tokens are made by hand."""
    return _refusal(
        404, "not_found", "There is no OAuth here. Make a token with `lifesign token create`."
    )


def only_post() -> Response:
    """405: this server keeps no sessions and no streams."""
    return _refusal(
        405,
        "method_not_allowed",
        "Send MCP messages with POST; this server keeps no session and opens no stream.",
        headers={"Allow": "POST"},
    )


def too_large(limit: int) -> Response:
    """413: the body is beyond any sound message."""
    return _refusal(413, "too_large", f"A message is at most {limit} bytes.")


def unauthorized(error: UnauthenticatedError, *, had_token: bool) -> Response:
    """401 with a challenge; its `error` is left out when no credentials came (RFC 6750 §3.1)."""
    said = challenge(error="invalid_token", description=error.message) if had_token else challenge()
    return _refusal(401, "invalid_token", str(error), headers={"WWW-Authenticate": said})


def challenge(*, error: str = "", description: str = "", scope: str = "read") -> str:
    """A `WWW-Authenticate` value."""
    parts = ['realm="lifesign"', f'scope="{scope}"']
    if error:
        parts += [f'error="{error}"', f'error_description="{_quotable(description)}"']
    return f"Bearer {', '.join(parts)}"


def _quotable(text: str) -> str:
    return "".join(char for char in text if " " <= char <= "~" and char not in '"\\')


def _refusal(
    status: int, code: str, message: str, *, headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse(
        {"error": code, "error_description": message}, status_code=status, headers=headers
    )
