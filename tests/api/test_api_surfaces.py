"""Published surfaces over HTTP."""

from datetime import timedelta

import httpx2
import pytest

from lifesign.core.batch import Batch, Snapshot
from lifesign.core.drift.hashes import surface_of
from lifesign.core.drift.values import Drift, Impact, SurfaceChange
from lifesign.core.model import Owner
from premises import ADMIN, Premises

SCHEMA = {"type": "object", "properties": {}}
BEFORE = surface_of({"tools": [{"name": name, "inputSchema": SCHEMA} for name in ("a", "b")]})
AFTER = surface_of({"tools": [{"name": "a", "inputSchema": SCHEMA}]})


@pytest.fixture
async def shop(house: Premises) -> str:
    """A monitor whose target lost a tool."""
    draft = {"target": "https://shop.example/mcp", "kind": "mcp", "name": "shop"}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    now = house.clock.now()
    drift = Drift(
        monitor_id=view.id, baseline=BEFORE.digest, baseline_since=now, current=AFTER.digest,
        current_since=now,
    )  # fmt: skip
    line = SurfaceChange(
        id="chg_1", monitor_id=view.id, at=now, before=BEFORE.digest, after=AFTER.digest,
        impact=Impact.BREAKING,
    )  # fmt: skip
    snapshots = [
        Snapshot(digest=each.digest, document=each.document or b"", at=now)
        for each in (BEFORE, AFTER)
    ]
    batch = Batch(drifts=(drift,), snapshots=tuple(snapshots), surface_changes=(line,))
    await house.store.observations.commit(batch)
    return f"/api/v1/monitors/{view.id}/surface"


async def test_a_surface_is_looked_at_and_compared(admin: httpx2.AsyncClient, shop: str) -> None:
    seen = (await admin.get(shop)).json()
    lines = (await admin.get(f"{shop}/changes")).json()
    pair = {"before": BEFORE.digest, "after": AFTER.digest}
    diff = (await admin.get(f"{shop}/diff", params=pair)).json()
    by_default = await admin.get(f"{shop}/diff")
    snapshot = await admin.get(f"{shop}/snapshots/{AFTER.digest}")

    assert (by_default.status_code, by_default.json()) == (200, diff)
    assert seen["drifted"] is True
    assert seen["places"][0]["tools"] == ["a"]
    assert [line["accepted_by"] for line in lines["items"]] == [""]
    assert (diff["impact"], diff["counts"]) == ("breaking", {"breaking": 1})
    assert snapshot.content == AFTER.document
    assert snapshot.headers["content-type"] == "application/json"


async def test_a_baseline_is_accepted_pinned_and_set_free(
    admin: httpx2.AsyncClient, shop: str
) -> None:
    accepted = (await admin.post(f"{shop}/accept", json={"pin": True})).json()
    freed = await admin.delete(f"{shop}/pin")
    then = (await admin.get(shop)).json()
    pinned = (await admin.post(f"{shop}/pin")).json()

    assert (accepted["drifted"], accepted["pinned"]) == (False, True)
    assert freed.status_code == 204
    assert (then["pinned"], pinned["pinned"]) == (False, True)


@pytest.mark.parametrize(
    ("body", "field"), [({"digest": "v1:none"}, "digest"), ({"pinn": True}, "pinn")]
)
async def test_what_cannot_be_accepted_is_named(
    admin: httpx2.AsyncClient, shop: str, body: dict[str, object], field: str
) -> None:
    answer = await admin.post(f"{shop}/accept", json=body)

    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["problems"]] == [field]


@pytest.mark.usefixtures("shop")
async def test_a_release_is_announced_and_taken_back(
    admin: httpx2.AsyncClient, house: Premises
) -> None:
    ends_at = house.clock.now() + timedelta(hours=1)
    body = {"monitor": "shop", "ends_at": ends_at.isoformat(), "note": "4.1"}
    made = await admin.post("/api/v1/releases", json=body)
    (release,) = made.json()["items"]
    listed = (await admin.get("/api/v1/releases", params={"monitor": "shop"})).json()
    gone = await admin.delete(f"/api/v1/releases/{release['id']}")
    again = await admin.delete(f"/api/v1/releases/{release['id']}")

    assert made.status_code == 201
    assert listed["items"] == [release]
    assert release["status"] == "open"
    assert (gone.status_code, again.status_code) == (204, 404)


@pytest.mark.usefixtures("shop")
async def test_metrics_tell_of_drift(admin: httpx2.AsyncClient) -> None:
    text = (await admin.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("lifesign_surface_")]

    assert len(lines) == 2
    assert any(
        line.startswith("lifesign_surface_drifted{") and line.endswith(" 1.0") for line in lines
    )
    assert all('region="local"' in line for line in lines)


async def test_before_the_first_look_there_is_nothing_to_compare(
    admin: httpx2.AsyncClient, house: Premises
) -> None:
    draft = {"target": "https://new.example/mcp", "kind": "mcp", "name": "new"}
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    answer = await admin.get(f"/api/v1/monitors/{view.id}/surface/diff")

    assert answer.status_code == 409
    assert "no surface yet" in answer.json()["detail"]
