"""The pages over fakes: in process for what they say, behind a server with a browser for how they behave."""

import os
import shutil
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette

from web.fake_kinds import SESSION
from web.fakes import FakeServices
from web.serving import Stream, fake_app, served

BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
def pages(services: FakeServices) -> Starlette:
    return fake_app(services, Stream())


@pytest.fixture
def client(pages: Starlette) -> httpx2.AsyncClient:
    """Ada's browser, without a browser: signed in, and posting from our own pages."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=pages),
        base_url="http://lifesign.test",
        cookies={"lifesign_session": SESSION},
        headers={"Sec-Fetch-Site": "same-origin"},
    )


@pytest.fixture
def stranger(pages: Starlette) -> httpx2.AsyncClient:
    """A browser that is not signed in."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=pages),
        base_url="http://lifesign.test",
        headers={"Sec-Fetch-Site": "same-origin"},
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Chromium, or a skip that says how to get it (in CI a failure)."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def fleet() -> Iterator[tuple[str, Stream, FakeServices]]:
    """The fakes behind a real loopback server, shared by the tests of one module."""
    services = FakeServices()
    with served(services) as (base, stream):
        yield base, stream, services
