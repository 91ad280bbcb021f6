from pathlib import Path

import pytest

from lifesign.config import ConfigError, load_config
from lifesign.core.model import Owner
from lifesign.service.declared import Applied, apply_declared
from lifesign.store import MonitorQuery
from premises import ADMIN, OPERATOR, Premises

FILE = """\
monitors:
  - name: Shop
    target: http://127.0.0.1:9/
    interval: 2m
    policy: {confirmations: 5, recheck: 4s, latency_factor: 0, drift_accept: never}
  - name: Backup
    kind: heartbeat
    settings: {period: P1D}
channels:
  - name: Hook
    kind: webhook
    settings: {url: "http://127.0.0.1:9/hook"}
routes:
  - name: All
    channels: [Hook]
    monitors: [Shop]
"""


async def apply(house: Premises, path: Path, text: str) -> Applied:
    path.write_text(text)  # noqa: ASYNC240 - a few bytes, before anything runs
    return await apply_declared(house.services, house.store, load_config(path, {}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lifesign.yaml"


async def test_file_is_made_so_and_owns_what_it_names(house: Premises, path: Path) -> None:
    applied = await apply(house, path, FILE)
    shop = await house.services.monitors.get(ADMIN, "shop")
    (route,) = await house.services.channels.list_routes(ADMIN)
    (channel,) = await house.services.channels.list(ADMIN)

    assert applied == Applied(added=4)
    assert (shop.interval_s, shop.policy.confirmations, shop.policy.recheck_s) == (120, 5, 4)
    assert (shop.policy.latency_factor, shop.policy.drift_accept_s) == (None, None)
    assert (shop.owner, shop.read_only, channel.read_only) == (Owner.FILE, True, True)
    told = [event.data["slug"] for event in await house.events() if event.type == "monitor.added"]
    assert told == ["shop", "backup"]
    assert (route.channels, route.monitors) == ((channel.id,), (shop.id,))


async def test_same_file_again_changes_nothing(house: Premises, path: Path) -> None:
    await apply(house, path, FILE)
    before = await house.services.monitors.list(ADMIN, MonitorQuery())
    applied = await apply(house, path, FILE)

    assert applied == Applied()
    assert await house.services.monitors.list(ADMIN, MonitorQuery()) == before


async def test_what_a_kind_made_up_stays_the_same(house: Premises, path: Path) -> None:
    await apply(house, path, FILE)
    key = (await house.services.monitors.get(ADMIN, "backup")).ping_url
    (channel,) = await house.store.channels.list(ADMIN)
    await apply(house, path, FILE.replace("P1D", "P2D"))

    assert (await house.services.monitors.get(ADMIN, "backup")).ping_url == key
    assert (await house.store.channels.list(ADMIN))[0].settings == channel.settings


async def test_what_left_the_file_goes_and_what_others_own_stays(
    house: Premises, path: Path
) -> None:
    mine = await house.services.monitors.add(ADMIN, {"target": "127.0.0.1:9"}, owner=Owner.API)
    await apply(house, path, FILE)
    applied = await apply(house, path, "monitors: []\n")
    left = await house.services.monitors.list(ADMIN, MonitorQuery())

    assert applied == Applied(removed=4)
    assert [each.id for each in left.items] == [mine.id]


async def test_setting_that_left_the_file_goes_back_to_its_default(
    house: Premises, path: Path
) -> None:
    await apply(house, path, FILE)
    applied = await apply(house, path, FILE.replace("    interval: 2m\n", ""))

    assert applied == Applied(changed=1)
    assert (await house.services.monitors.get(ADMIN, "shop")).interval_s == 60


async def test_pause_by_hand_outlives_a_restart(house: Premises, path: Path) -> None:
    await apply(house, path, FILE)
    await house.services.monitors.pause(OPERATOR, "shop")
    await apply(house, path, FILE)

    assert (await house.services.monitors.get(ADMIN, "shop")).paused


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (("kind: heartbeat", "kind: heartbeet"), "lifesign.yaml:7:5", "heartbeat"),
        (("{period: P1D}", "{peroid: P1D}"), "lifesign.yaml:8:16", "Did you mean 'period'"),
        (("kind: webhook", "kind: webhok"), "lifesign.yaml:11:5", "webhook"),
        (("[Hook]", "[Hok]"), "lifesign.yaml:15:16", "Hok"),
        (("name: Hook", 'name: "Ho\\eok"'), "lifesign.yaml:10:5", "control characters"),
        (("interval: 2m", "conditions: [statuss == 200]"), "lifesign.yaml:4:18", "'status'"),
    ],
)
async def test_wrong_file_is_told_with_line_and_column_and_changes_nothing(
    house: Premises, path: Path, change: tuple[str, str], place: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await apply(house, path, FILE.replace(*change))

    assert place in str(caught.value)
    assert words in str(caught.value)
    assert (await house.services.monitors.list(ADMIN, MonitorQuery())).items == ()


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "channels: [hok]",
            (
                ":15:16: routes[0].channels[0]: No channel of this file is called 'hok'. "
                "Did you mean 'Hook'?"
            ),
        ),
        (
            "channels: [Hook]\n    kinds: [htp]",
            (
                ":16:13: routes[0].kinds[0]: There is no such kind; known are dns, heartbeat, http, "
                "mcp, mcp-stdio, tcp, tls. Did you mean 'http'?"
            ),
        ),
        (
            "channels: [Hook]\n    monitors: [shop, Backups]",
            (
                ":16:22: routes[0].monitors[1]: No monitor is called 'Backups'. "
                "Did you mean 'Backup'?"
            ),
        ),
    ],
)
async def test_route_that_could_never_match_is_refused(
    house: Premises, path: Path, written: str, problem: str
) -> None:
    file = FILE.removesuffix("    monitors: [Shop]\n")
    with pytest.raises(ConfigError) as caught:
        await apply(house, path, file.replace("channels: [Hook]", written))

    assert str(caught.value) == f"{path}{problem}"


async def test_two_jobs_of_a_file_cannot_share_a_ping_key(house: Premises, path: Path) -> None:
    job = (
        "  - {name: %s, kind: heartbeat, settings: {uuid: 7f000000-0000-4000-8000-000000000001}}\n"
    )
    text = "monitors:\n" + job % "one" + job % "two"

    with pytest.raises(ConfigError, match="ping key of two"):
        await apply(house, path, text)

    assert (await house.services.monitors.list(ADMIN, MonitorQuery())).items == ()
