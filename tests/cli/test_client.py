"""How commands find Lifesign, and what they say when they do not."""

import os

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from asgi_server import serving
from lifesign.cli.client import CommandError, Daemon

pytestmark = pytest.mark.slow


class TestNothingThere:
    def test_it_says_where_it_looked_and_how_to_start_one(self, lifesign, tmp_path):
        told = lifesign("monitor", "ls", "--data", tmp_path)

        assert (told.code, told.out) == (1, "")
        assert str(tmp_path) in told.err
        assert "lifesign serve --data" in told.err
        assert "LIFESIGN_URL" in told.err

    def test_a_url_without_a_token_says_how_to_give_one(self, lifesign):
        told = lifesign("monitor", "ls", "--url", "http://127.0.0.1:9")

        assert told.code == 3
        assert "LIFESIGN_TOKEN_FILE" in told.err

    def test_an_address_where_nobody_answers_is_named(self, lifesign, monkeypatch):
        monkeypatch.setenv("LIFESIGN_TOKEN", "lsn_user_x")
        told = lifesign("monitor", "ls", "--url", "http://127.0.0.1:9")

        assert told.code == 1
        assert "http://127.0.0.1:9 did not answer" in told.err

    def test_a_daemon_file_that_is_broken_is_named(self, lifesign, tmp_path):
        (tmp_path / "daemon.json").write_text("{")
        told = lifesign("monitor", "ls", "--data", tmp_path)

        assert told.code == 1
        assert "daemon.json cannot be used" in told.err

    def test_a_daemon_file_left_by_a_killed_daemon_counts_for_nothing(self, lifesign, tmp_path):
        (tmp_path / "daemon.json").write_text(
            '{"url": "http://127.0.0.1:9", "token": "lsn_user_x", "pid": 1}'
        )
        told = lifesign("monitor", "add", "127.0.0.1:9", "--data", tmp_path)

        assert told.code == 1
        assert "No running Lifesign was found" in told.err


class TestADaemonElsewhere:
    def test_it_is_found_by_url_and_a_token_in_a_file(
        self, lifesign, daemon, monkeypatch, tmp_path
    ):
        file = tmp_path / "token"
        file.write_text(f"{daemon.token}\n")
        monkeypatch.setenv("LIFESIGN_TOKEN_FILE", str(file))
        monkeypatch.setenv("LIFESIGN_URL", f"{daemon.url}/")

        assert lifesign("token", "ls", "--json").code == 0

    def test_a_wrong_token_exits_3_and_is_not_repeated(self, lifesign, daemon, monkeypatch):
        monkeypatch.setenv("LIFESIGN_TOKEN", "lsn_user_wrong")
        told = lifesign("monitor", "ls", "--url", daemon.url)

        assert told.code == 3
        assert "lsn_user_wrong" not in told.err

    def test_its_directory_may_come_from_the_environment(self, lifesign, daemon, monkeypatch):
        monkeypatch.setenv("LIFESIGN_DATA", str(daemon.data))

        assert lifesign("monitor", "ls", "--json").code == 0


@pytest.fixture
def stopped(tmp_path):
    """A data directory with a database and no daemon."""
    from asyncio import run

    from lifesign.cli.client import Place, opened

    async def make():
        async with opened(Place(None, tmp_path, {})):
            pass

    run(make())
    return tmp_path


class TestADatabaseWithoutADaemon:
    def test_it_can_be_read(self, lifesign, stopped):
        told = lifesign("monitor", "ls", "--json", "--data", stopped)

        assert (told.code, told.json) == (0, [])

    def test_a_token_can_be_made(self, lifesign, stopped):
        made = lifesign("token", "create", "first", "--grant", "admin", "--data", stopped)
        names = [t["name"] for t in lifesign("token", "ls", "--json", "--data", stopped).json]

        assert made.out.startswith("lsn_")
        assert "first" in names

    def test_the_key_it_used_is_gone_afterwards(self, lifesign, stopped):
        first = lifesign("token", "ls", "--json", "--data", stopped).json
        second = lifesign("token", "ls", "--json", "--data", stopped).json

        assert [token["name"] for token in first] == ["command line"]
        assert first[0]["id"] not in {token["id"] for token in second}

    def test_what_is_not_found_there_exits_4(self, lifesign, stopped):
        assert lifesign("monitor", "show", "nothing", "--data", stopped).code == 4

    def test_what_needs_the_engine_asks_for_a_daemon(self, lifesign, stopped):
        told = lifesign("monitor", "add", "127.0.0.1:9", "--data", stopped)

        assert told.code == 1
        assert "lifesign serve" in told.err


def test_what_the_file_declared_survives_a_look_without_the_file(lifesign, tmp_path):
    """The commands do not know the configuration file; its monitors must not be taken for removed."""
    from asyncio import run

    from lifesign.app import assemble
    from lifesign.config import load_config

    file = tmp_path / "lifesign.yaml"
    file.write_text("monitors:\n  - name: Declared\n    target: http://127.0.0.1/\n")
    data = tmp_path / "data"

    async def declare():
        async with assemble(load_config(file, {}, flags={"data": data})):
            pass

    run(declare())
    lifesign("monitor", "ls", "--data", data)
    found = lifesign("monitor", "ls", "--json", "--data", data).json

    assert [(row["name"], row["owner"]) for row in found] == [("Declared", "file")]
    assert os.environ.get("LIFESIGN_DATA") is None


async def test_what_answers_without_json_is_not_lifesign() -> None:
    async def page(_request: object) -> Response:
        return Response("<h1>It works!</h1>")

    async with (
        serving(Starlette(routes=[Route("/{path:path}", page)])) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        with pytest.raises(CommandError, match="is not Lifesign: it sent HTTP 200 without JSON"):
            await Daemon(http, url).get("/monitors")
