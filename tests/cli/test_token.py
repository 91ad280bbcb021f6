"""`lifesign token`, with a daemon and without one."""

import httpx2
import pytest

pytestmark = pytest.mark.slow


def status_with(daemon, secret, path="/monitors", method="GET"):
    headers = {"Authorization": f"Bearer {secret}"}
    response = httpx2.request(
        method, f"{daemon.url}/api/v1{path}", headers=headers, trust_env=False
    )
    return response.status_code


def test_a_token_is_made_used_listed_and_revoked(lifesign, daemon):
    where = ("--data", daemon.data)
    made = lifesign("token", "create", "ci", "--grant", "read", "--expires", "1h", *where)
    secret = made.out.strip()
    listed = lifesign("token", "ls", "--json", *where)
    found = next(token for token in listed.json if token["name"] == "ci")
    before = status_with(daemon, secret)
    table = lifesign("token", "ls", *where)
    revoked = lifesign("token", "revoke", found["id"], *where)

    assert secret.startswith("lsn_")
    assert secret not in made.err + listed.out + table.out
    assert (before, status_with(daemon, secret)) == (200, 401)
    assert (found["grant"], found["secret"]) == ("read", "")
    assert revoked.code == 0


def test_a_token_of_too_little_grant_exits_3(lifesign, daemon, monkeypatch):
    secret = lifesign("token", "create", "weak", "--data", daemon.data).out.strip()
    monkeypatch.setenv("LIFESIGN_TOKEN", secret)
    refused = lifesign("token", "ls", "--url", daemon.url)

    assert (refused.code, refused.out) == (3, "")
    assert "admin" in refused.err


@pytest.mark.parametrize("life", ["90", "soon", "-1d"])
def test_a_life_that_is_no_duration_is_a_usage_error(lifesign, tmp_path, life):
    refused = lifesign("token", "create", "x", f"--expires={life}", "--data", tmp_path)

    assert refused.code == 64
    assert "--expires" in refused.err
