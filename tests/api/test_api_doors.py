import httpx2
import pytest
from starlette.types import ASGIApp

from lifesign.api.app import Policy, build_rest
from lifesign.channels.registry import load_channel_kinds
from lifesign.core.scope import Grant
from lifesign.probes.registry import load_kinds
from premises import PASSWORD, Premises

RANK = {Grant.READ: 0, Grant.OPERATE: 1, Grant.ADMIN: 2}


def policies(house: Premises) -> list[Policy]:
    app = build_rest(
        house.services, kinds=load_kinds(), channel_kinds=load_channel_kinds(),
        clock=house.clock, config=house.config,
    )  # fmt: skip
    described = {
        (method.upper(), path): operation.get("x-grant")
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }
    found: list[Policy] = app.state.policies
    shown = {(each.method, each.path): each.grant for each in found if each.is_described}
    assert described == shown, "a route stands in the document without its policy"
    return found


def expected(policy: Policy) -> Grant:
    """The rule of the house: looking is read, handling is operate, changing is admin."""
    operations = ("/ack", "/acknowledge", "/pause", "/resume", "/run", "/try", "/accept", "/pin")
    if policy.path == "/api/v1/tokens":
        return Grant.ADMIN
    if policy.method == "GET":
        return Grant.READ
    is_operation = policy.path.endswith(operations) or policy.path.startswith("/api/v1/releases")
    return Grant.OPERATE if is_operation else Grant.ADMIN


async def test_every_route_has_the_policy_that_the_rule_gives_it(house: Premises) -> None:
    found = policies(house)

    assert len(found) > 30
    assert [each for each in found if each.grant is not expected(each)] == []


async def test_each_grant_opens_exactly_its_routes(house: Premises, api: ASGIApp) -> None:
    """Route by grant: 401 without a token, 403 below the grant, something else from there on."""
    transport = httpx2.ASGITransport(api, raise_app_exceptions=False)
    tokens = {grant: await house.token(grant) for grant in Grant}
    wrong = []
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for policy in policies(house):
            path = policy.path.replace("{id}", "nobody")
            if path.endswith("/events"):
                path += "?last_event_id=-1"
            answer = await client.request(policy.method, path)
            if answer.status_code != 401:
                wrong.append((policy, None, answer.status_code))
            for grant, token in tokens.items():
                bearer = {"authorization": f"Bearer {token}"}
                status = (await client.request(policy.method, path, headers=bearer)).status_code
                is_open = RANK[grant] >= RANK[policy.grant or Grant.ADMIN]
                if (status == 403) is is_open or status in (401, 500):
                    wrong.append((policy, grant, status))

    assert wrong == []


async def session(house: Premises) -> str:
    token = str(await house.services.people.setup_token(house.clock.now()))
    return await house.services.people.complete_setup(token, email="a@b.org", password=PASSWORD)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://testserver"}, 201),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_session_changes_things_from_our_own_pages_only(
    house: Premises, anybody: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    cookie = {"cookie": f"lifesign_session={await session(house)}"}
    answer = await anybody.post(
        "/api/v1/monitors", json={"target": "127.0.0.1:9"}, headers={**cookie, **headers}
    )

    assert answer.status_code == status
    assert (await anybody.get("/api/v1/monitors", headers=cookie)).status_code == 200


async def test_wrong_bearer_is_not_saved_by_a_good_cookie(
    house: Premises, anybody: httpx2.AsyncClient
) -> None:
    headers = {"cookie": f"lifesign_session={await session(house)}", "authorization": "Bearer x"}
    answer = await anybody.get("/api/v1/me", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_metrics_need_a_reader_and_vitals_nobody(
    house: Premises, anybody: httpx2.AsyncClient
) -> None:
    token = await house.token(Grant.READ)

    assert (await anybody.get("/metrics")).status_code == 401
    bearer = {"authorization": f"Bearer {token}"}
    assert (await anybody.get("/metrics", headers=bearer)).status_code == 200
    assert (await anybody.get("/healthz")).status_code == 200
    assert (await anybody.get("/readyz")).status_code == 200


async def test_stuck_engine_is_not_ready(house: Premises, anybody: httpx2.AsyncClient) -> None:
    house.figures["silent_s"] = 120
    answer = await anybody.get("/readyz")

    assert answer.status_code == 503
    assert "scheduler" in answer.json()["detail"]
