"""What is told when a server is found by its second or third face: the news is where the trouble is."""

import json

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asgi_server import serving
from servers.mcp_visit import GREETING, probe, where


def old_transport(status: int, **headers: str) -> Starlette:
    """A server of two addresses whose stream cannot be had: it takes no POST at the address that people know."""

    async def refuse(_request: Request) -> Response:
        return Response("no", status, headers=headers)

    return Starlette(routes=[Route("/sse", refuse, methods=["GET"])])


@pytest.mark.parametrize(
    ("status", "headers", "place"),
    [
        (401, {"WWW-Authenticate": 'Bearer realm="x"'}, "ok"),  # sign-in required is no failure
        (403, {}, "auth/"),
        (421, {}, "http/invalid_host"),
        (429, {"Retry-After": "5"}, "http/rate_limited"),
        (503, {}, "http/server_error"),
        (404, {}, "http/method_not_allowed"),
        (200, {"Content-Type": "text/html"}, "http/method_not_allowed"),
    ],
)
async def test_what_only_the_stream_brings_out_is_told(status, headers, place):
    async with serving(old_transport(status, **headers)) as address:
        observation = await probe(f"{address}/sse", era="auto")

    assert where(observation).startswith(place)
    assert ("auth.state" in observation.facts) is (status in (401, 403))


async def test_an_empty_answer_to_discovery_is_one_of_the_other_era():
    """Some servers answer an empty result to whatever they do not know."""

    async def answer(request: Request) -> Response:
        message = json.loads(await request.body())
        if "id" not in message:
            return Response(status_code=202)
        results = {"initialize": GREETING, "tools/list": {"tools": []}}
        result = results.get(message["method"], {})
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": result})

    app = Starlette(routes=[Route("/mcp", answer, methods=["POST"])])
    async with serving(app) as address:
        observation = await probe(f"{address}/mcp", era="auto")

    assert observation.facts["era"] == "legacy"
    assert observation.facts["server.name"] == "faulty"
