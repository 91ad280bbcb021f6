"""Requests that nobody thought of, made from the document itself (schemathesis), a bounded number of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from asgi_server import serving
from lifesign.api.app import build_api
from lifesign.channels.registry import load_channel_kinds
from lifesign.core.scope import Grant
from lifesign.probes.registry import load_kinds
from premises import open_premises
from servers.background import in_background

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LEFT_OUT = {
    "/api/v1/events": "it never ends",
    "/api/v1/try": "it dials what it is given, and tests stay on this machine",
}


@dataclass(frozen=True)
class Live:
    """The API on a socket, and an admin's token for it."""

    url: str
    token: str


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Live]:
    async with open_premises(path) as house:
        api = build_api(
            house.services, kinds=load_kinds(), channel_kinds=load_channel_kinds(),
            clock=house.clock, config=house.config,
        )  # fmt: skip
        async with serving(api, for_s=300) as url:
            yield Live(url, await house.token(Grant.ADMIN))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    path = tmp_path_factory.mktemp("openapi")
    with in_background(lambda: running(path)) as server:
        yield server


@pytest.fixture(scope="module")
def document(live: Live) -> dict[str, Any]:
    answer = httpx2.get(f"{live.url}/api/v1/openapi.json", trust_env=False)
    found: dict[str, Any] = answer.json()
    return found


def test_every_operation_is_described_for_people(document: dict[str, Any]) -> None:
    silent = [
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not operation.get("description") or not operation.get("x-grant")
    ]

    assert silent == []


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_what_the_document_promises(
    live: Live, document: dict[str, Any], mode: GenerationMode
) -> None:
    """With requests that keep to the document, and with requests that break it."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=live.url)
    headers = {"Authorization": f"Bearer {live.token}"}
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in LEFT_OUT:
            continue

        @settings(
            max_examples=6,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        ask()
        tried += 1

    assert tried >= 30
