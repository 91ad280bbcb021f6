import httpx2
import pytest
from structlog.testing import capture_logs

from premises import Premises

HTTP = {"kind": "http", "name": "shop", "settings": {"url": "http://127.0.0.1:9/"}}


async def test_monitor_is_added_read_changed_and_removed(admin: httpx2.AsyncClient) -> None:
    added = await admin.post("/api/v1/monitors", json=HTTP)
    place = added.headers["location"]
    changed = await admin.patch(place, json={"interval": "5m"})
    removed = await admin.delete(place)

    assert (added.status_code, changed.status_code, removed.status_code) == (201, 200, 204)
    assert changed.json()["interval_s"] == 300
    assert (await admin.get(place)).status_code == 404


async def test_change_of_an_old_version_is_refused(admin: httpx2.AsyncClient) -> None:
    added = await admin.post("/api/v1/monitors", json=HTTP)
    place, tag = added.headers["location"], added.headers["etag"]
    first = await admin.patch(place, json={"group": "one"}, headers={"if-match": tag})
    second = await admin.patch(place, json={"group": "two"}, headers={"if-match": tag})
    gone = await admin.delete(place, headers={"if-match": tag})
    strange = await admin.delete(place, headers={"if-match": '"abc"'})

    assert first.status_code == 200
    assert [each.status_code for each in (second, gone, strange)] == [412, 412, 412]
    assert second.json()["code"] == "stale"


async def test_unchanged_answer_is_not_sent_again(admin: httpx2.AsyncClient) -> None:
    added = await admin.post("/api/v1/monitors", json=HTTP)
    place = added.headers["location"]
    seen = await admin.get(place)
    again = await admin.get(place, headers={"if-none-match": seen.headers["etag"]})
    await admin.post(f"{place}/pause")
    later = await admin.get(place, headers={"if-none-match": seen.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert (later.status_code, later.json()["state"]) == (200, "paused")


async def test_pages_follow_one_another_without_gap_or_repeat(admin: httpx2.AsyncClient) -> None:
    for number in range(7):
        await admin.post("/api/v1/monitors", json={**HTTP, "name": f"m{number}"})
    names: list[str] = []
    cursor = None
    while True:
        params = {"limit": 3, "sort": "name", **({"cursor": cursor} if cursor else {})}
        page = (await admin.get("/api/v1/monitors", params=params)).json()
        names += [each["name"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert names == [f"m{number}" for number in range(7)]


async def test_filters_narrow_the_listing(admin: httpx2.AsyncClient) -> None:
    await admin.post("/api/v1/monitors", json={**HTTP, "tags": ["eu"], "group": "web"})
    await admin.post("/api/v1/monitors", json={"target": "127.0.0.1:25", "paused": True})

    async def found(**params: str) -> list[str]:
        page = (await admin.get("/api/v1/monitors", params=params)).json()
        return [each["name"] for each in page["items"]]

    assert await found(kind="tcp") == ["127.0.0.1:25"]
    assert await found(state="paused") == ["127.0.0.1:25"]
    assert await found(tag="eu") == await found(group="web") == await found(q="SHO") == ["shop"]
    assert len(await found()) == 2


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/monitors/nobody", 404, "not_found"),
        ("PUT", "/api/v1/monitors", 405, "method_not_allowed"),
        ("GET", "/api/v1/monitors?limit=0", 422, "invalid"),
        ("GET", "/api/v1/monitors?cursor=x", 422, "invalid"),
        ("GET", "/api/v1/monitors?state=sad", 422, "invalid"),
        ("GET", "/api/v1/certificates?cursor=x", 422, "invalid"),
        ("POST", "/api/v1/monitors", 422, "invalid"),
        ("POST", "/api/v1/monitors/nobody/pause", 404, "not_found"),
        ("DELETE", "/api/v1/tokens/nobody", 404, "not_found"),
    ],
)
async def test_every_error_is_a_problem_document(
    admin: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await admin.request(method, path)
    problem = answer.json()

    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["detail"]
    assert problem["type"] == f"urn:lifesign:problem:{code}"
    assert bool(problem["problems"]) is (status == 422)


async def test_wrong_method_says_which_are_right(admin: httpx2.AsyncClient) -> None:
    answer = await admin.delete("/api/v1/kinds")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b" " * ((1 << 20) + 1), "application/json", 413),
    ],
)
async def test_strange_bodies_are_refused(
    admin: httpx2.AsyncClient, content: bytes, media_type: str, status: int
) -> None:
    headers = {"content-type": media_type}
    answer = await admin.post("/api/v1/monitors", content=content, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_our_own_bug_is_a_plain_500(
    house: Premises, admin: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(house.store.monitors, "counts", broken)
    with capture_logs() as logs:
        answer = await admin.get("/api/v1/health")

    assert [(each["event"], each["path"]) for each in logs] == [
        ("request_failed", "/api/v1/health")
    ]
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret detail" not in answer.text


async def test_answers_carry_the_headers_that_browsers_heed(anybody: httpx2.AsyncClient) -> None:
    headers = (await anybody.get("/healthz")).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


async def test_token_of_the_api_opens_the_api(
    admin: httpx2.AsyncClient, anybody: httpx2.AsyncClient
) -> None:
    body = {"name": "ci", "grant": "operate", "expires_in": "90d", "kind": "service"}
    made = (await admin.post("/api/v1/tokens", json=body)).json()
    bearer = {"authorization": f"Bearer {made['secret']}"}
    me = (await anybody.get("/api/v1/me", headers=bearer)).json()

    assert me == {"actor": "token ci", "grant": "operate", "tenant": "default"}
    assert made["secret"].startswith("lsn_service_")


async def test_try_shows_a_result_and_saves_nothing(admin: httpx2.AsyncClient) -> None:
    trial = (await admin.post("/api/v1/try", json={"target": "http://127.0.0.1:9/"})).json()

    assert (trial["kind"], trial["state"], trial["failure"]["layer"]) == ("http", "down", "tcp")
    assert (await admin.get("/api/v1/monitors")).json()["items"] == []


async def test_kinds_come_with_the_schemas_of_their_forms(admin: httpx2.AsyncClient) -> None:
    kinds = {each["name"]: each for each in (await admin.get("/api/v1/kinds")).json()["items"]}
    channels = (await admin.get("/api/v1/channel-kinds")).json()["items"]

    assert kinds["heartbeat"]["passive"] is True
    assert "url" in kinds["http"]["settings_schema"]["properties"]
    assert "webhook" in {each["name"] for each in channels}


async def test_latency_is_told_by_window(admin: httpx2.AsyncClient) -> None:
    added = await admin.post("/api/v1/monitors", json=HTTP)
    seen = await admin.get(f"{added.headers['location']}/latency")
    absent = await admin.get("/api/v1/monitors/nowhere/latency")

    assert [each["window"] for each in seen.json()["windows"]] == ["24h", "7d", "30d"]
    assert seen.json()["limit_ms"] is None
    assert absent.status_code == 404
