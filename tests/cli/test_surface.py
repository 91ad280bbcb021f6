"""`lifesign surface` against a real daemon that watches a real MCP server."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.processes import until
from lifesign.testing import TOOL, FaultyMCP
from servers.background import in_background

pytestmark = pytest.mark.slow

DEADLINE_S = 20.0
FETCH = {**TOOL, "name": "fetch", "description": "Fetches a page."}


@pytest.fixture
def server() -> Iterator[FaultyMCP]:
    with in_background(lambda: FaultyMCP(tools=[TOOL, FETCH])) as running:
        yield running


@pytest.fixture
def shop(lifesign: Any, daemon: Any, server: FaultyMCP) -> Iterator[str]:
    """A monitor of the server that was looked at once."""
    where = ("--data", daemon.data)
    command = ("monitor", "add", server.url, "--kind", "mcp", "--name", "shop", "--interval", "1s")
    slug = lifesign(*command, "--json", *where).json["slug"]
    shows(lifesign, where, slug, lambda surface: surface["places"])
    yield slug
    lifesign("monitor", "rm", slug, "--yes", *where)


def shows(lifesign: Any, where: Any, slug: str, claim: Any) -> Any:
    """The surface, as soon as a claim about it holds."""
    found: dict[str, Any] = {}

    def holds() -> bool:
        found.update(lifesign("surface", "show", slug, "--json", *where).json)
        return bool(claim(found))

    until(holds, within=DEADLINE_S, what="the surface is as expected")
    return found


def test_a_change_is_shown_compared_accepted_and_pinned(
    lifesign: Any, daemon: Any, server: FaultyMCP, shop: str
) -> None:
    where = ("--data", daemon.data)
    calm = lifesign("surface", "show", shop, *where)
    nothing = lifesign("surface", "changes", shop, *where)
    same = lifesign("surface", "diff", shop, *where)
    server.redeploy(tools=[TOOL])
    shows(lifesign, where, shop, lambda surface: surface["drifted"])
    drifted = lifesign("surface", "show", shop, *where)
    diff = lifesign("surface", "diff", shop, *where)
    lines = lifesign("surface", "changes", shop, *where)
    accepted = lifesign("surface", "accept", shop, "--pin", "--json", *where)
    after = lifesign("surface", "show", shop, *where)
    unpinned = lifesign("surface", "unpin", shop, *where)
    wrong = lifesign("surface", "accept", shop, "--digest", "v1:none", *where)

    assert "● as accepted" in calm.out
    assert "2: echo, fetch" in calm.out
    assert "Nothing of it has changed" in nothing.err
    assert (same.code, "They are the same." in same.err) == (0, True)
    assert "■ drifted (breaking)" in drifted.out
    assert "fetch" in diff.out
    assert diff.code == 2
    assert "drift" in lines.out
    assert "breaking" in lines.out
    assert (accepted.json["drifted"], accepted.json["pinned"]) == (False, True)
    assert "pinned" in after.out
    assert "no longer pinned" in unpinned.err
    assert wrong.code == 64
    assert "never published" in wrong.err


def test_a_release_accepts_what_changes_meanwhile(
    lifesign: Any, daemon: Any, server: FaultyMCP, shop: str
) -> None:
    where = ("--data", daemon.data)
    release = ("surface", "release", "announce", shop, "--for", "1h", "--note", "4.1")
    (made,) = lifesign(*release, "--json", *where).json
    server.redeploy(tools=[TOOL])
    surface = shows(lifesign, where, shop, lambda found: found["places"][0]["tool_count"] == 1)
    lines = lifesign("surface", "changes", shop, *where)
    alerts = lifesign("alert", "ls", "--monitor", shop, "--all", "--json", *where)
    listed = lifesign("surface", "release", "ls", *where)
    cancelled = lifesign("surface", "release", "cancel", made["id"], *where)
    gone = lifesign("surface", "release", "ls", *where)
    endless = lifesign("surface", "release", "announce", shop, "--for", "40d", *where)

    assert not surface["drifted"]
    assert "accepted by release 4.1" in lines.out
    assert alerts.json == []
    assert made["id"] in listed.out
    assert "taken back" in cancelled.err
    assert "No release is announced" in gone.err
    assert endless.code == 64
