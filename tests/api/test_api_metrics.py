from datetime import timedelta

import httpx2
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families

from lifesign.api.app import build_api
from lifesign.channels.registry import load_channel_kinds
from lifesign.core.batch import Batch
from lifesign.core.model import (
    Failure,
    MonitorState,
    Observation,
    Outcome,
    Owner,
    Reason,
    Run,
    State,
)
from lifesign.probes.registry import load_kinds
from premises import ADMIN, Premises


async def watched(house: Premises) -> str:
    draft = {
        "kind": "http", "name": "shop", "group": "web",
        "settings": {"url": "https://127.0.0.1:9/", "bearer_token": "s3cret"},
    }  # fmt: skip
    view = await house.services.monitors.add(ADMIN, draft, owner=Owner.API)
    now = house.clock.now()
    seen = Observation(
        facts={"status": 200, "ip": "127.0.0.1", "tls.not_after": "2026-03-01T00:00:00+00:00"},
        phases_ms={"dns": 1.0, "tcp": 2.0, "tls": 3.0, "send": 1.0, "first_byte": 4.0},
    )
    run = Run(
        monitor_id=view.id, slot=now, observation=seen, outcome=Outcome(State.UP),
        started_at=now + timedelta(milliseconds=5), duration_ms=11.0,
    )  # fmt: skip
    state = MonitorState(monitor_id=view.id, since=now, state=State.UP)
    await house.store.observations.commit(Batch(runs=(run,), states=(state,)))
    return view.id


async def test_metrics_have_the_names_that_dashboards_know(
    house: Premises, admin: httpx2.AsyncClient
) -> None:
    id = await watched(house)
    answer = await admin.get("/metrics")
    samples = {
        (sample.name, sample.labels.get("phase") or sample.labels.get("state") or ""): sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }

    assert answer.headers["content-type"].startswith("text/plain")
    assert samples["probe_success", ""].labels == {
        "monitor": "shop", "monitor_id": id, "type": "http", "target": "https://127.0.0.1:9/",
        "group": "web",
    }  # fmt: skip
    values = {key: sample.value for key, sample in samples.items()}
    assert values["probe_success", ""] == 1
    assert values["probe_duration_seconds", ""] == 0.011
    assert values["probe_http_duration_seconds", "processing"] == 0.005
    assert values["probe_http_duration_seconds", "transfer"] == 0
    assert values["probe_dns_lookup_time_seconds", ""] == 0.001
    assert values["probe_http_status_code", ""] == 200
    assert values["probe_ip_protocol", ""] == 4
    assert values["probe_ssl_earliest_cert_expiry", ""] == 1772323200
    assert values["lifesign_monitor_state", "up"] == 1
    assert values["lifesign_monitor_state", "down"] == 0
    assert values["lifesign_runs_total", ""] == 7
    assert "s3cret" not in answer.text


async def test_metrics_say_what_is_broken_and_when_a_credential_ends(
    house: Premises, admin: httpx2.AsyncClient
) -> None:
    id = await watched(house)
    failure = Failure("auth", "token_rejected", "It was refused.", Reason.AUTH_WALLED)
    at = house.clock.now() + timedelta(seconds=60)
    run = Run(
        monitor_id=id, slot=at, outcome=Outcome(State.DOWN, failure), duration_ms=1.0,
        observation=Observation(
            facts={"credential.expires_at": "2026-03-01T00:00:00+00:00"}, failure=failure
        ),
        started_at=at,
    )  # fmt: skip
    state = MonitorState(monitor_id=id, since=at, state=State.DOWN, failure=failure)
    await house.store.observations.commit(Batch(runs=(run,), states=(state,)))
    samples = {
        sample.name: sample
        for family in text_string_to_metric_families((await admin.get("/metrics")).text)
        for sample in family.samples
    }

    broken = samples["lifesign_monitor_failure"]
    assert broken.value == 1
    named = {name: broken.labels[name] for name in ("layer", "code", "reason")}
    assert named == {"layer": "auth", "code": "token_rejected", "reason": "auth_walled"}
    assert samples["lifesign_credential_expiry_timestamp_seconds"].value == 1772323200


async def test_names_and_labels_are_as_promtool_wants_them(
    house: Premises, admin: httpx2.AsyncClient
) -> None:
    """What `promtool check metrics` looks at: units spelled out, `quantile` and `le` left to their types."""
    await watched(house)
    house.figures |= {"silent_s": 1.5, "running": 2.0, "late_p50_ms": 10.0}
    families = list(text_string_to_metric_families((await admin.get("/metrics")).text))
    samples = [sample for family in families for sample in family.samples]

    names = {sample.name for sample in samples}
    assert "lifesign_engine_silent_seconds" in names
    assert all(family.documentation for family in families)
    assert {word for name in names for word in name.split("_")}.isdisjoint(
        {"s", "ms", "us", "ns", "sec", "m", "h", "d", "b", "kb", "mb"}
    )
    assert {label for sample in samples for label in sample.labels}.isdisjoint({"quantile", "le"})
    lag = [each for each in samples if each.name == "lifesign_scheduler_lag_seconds"]
    assert [each.labels for each in lag] == [{"stat": "p50"}, {"stat": "p99"}, {"stat": "max"}]


async def test_scrapers_own_labels_are_left_alone(
    house: Premises, admin: httpx2.AsyncClient
) -> None:
    await watched(house)
    text = (await admin.get("/metrics")).text

    assert "instance=" not in text
    assert "job=" not in text


async def test_openmetrics_is_given_to_those_who_ask(
    house: Premises, admin: httpx2.AsyncClient
) -> None:
    await watched(house)
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    answer = await admin.get("/metrics", headers=accept)

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert "probe_success" in {family.name for family in open_families(answer.text)}


async def test_operator_can_open_the_metrics_to_everybody(house: Premises) -> None:
    api = build_api(
        house.services, kinds=load_kinds(), channel_kinds=load_channel_kinds(),
        clock=house.clock, config=house.config, metrics_public=True,
    )  # fmt: skip
    transport = httpx2.ASGITransport(api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/api/v1/health")).status_code == 401
