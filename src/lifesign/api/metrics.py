"""`/metrics`: what monitors saw under blackbox_exporter's names, and Lifesign itself as `lifesign_*`.

The labels are `monitor` (slug), `monitor_id`, `type`, `target` and `group`; never `instance` or `job`, which a
scraper sets by itself. https://github.com/prometheus/blackbox_exporter
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from lifesign.core.model import State
from lifesign.core.scope import Grant, Scope, system_scope
from lifesign.service.access import require
from lifesign.service.services import Services
from lifesign.service.surface_views import SurfaceFigures
from lifesign.service.views import Health, MonitorView
from lifesign.store import MAX_LIMIT
from lifesign.store.values import MonitorQuery

LABELS = ("monitor", "monitor_id", "type", "target", "group")

_HTTP_PHASES = {
    "resolve": ("dns",),
    "connect": ("tcp",),
    "tls": ("tls",),
    "processing": ("send", "first_byte", "http"),
    "transfer": ("transfer",),
}
_FACT_GAUGES = {
    "status": ("probe_http_status_code", "Status of the last response."),
    "redirects": ("probe_http_redirects", "Redirects that were followed."),
    "body.bytes": ("probe_http_uncompressed_body_length", "Bytes of the decoded body."),
    "tools.count": ("lifesign_mcp_tools", "Tools that an MCP server lists."),
}
_EXPIRIES = {
    "tls.not_after": (
        "probe_ssl_earliest_cert_expiry",
        "When the certificate expires, seconds since 1970.",
    ),
    "credential.expires_at": (
        "lifesign_credential_expiry_timestamp_seconds",
        "When the credential of the monitor itself expires, seconds since 1970.",
    ),
}


def metric_routes(services: Services, *, is_public: bool) -> APIRouter:
    """`/metrics`, for whoever may read (or for everybody, when the operator says so)."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        """The figures, in the text format or, by Accept, in OpenMetrics."""
        scope = await _reader(request, is_public=is_public)
        families = await gather(services, scope)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Gathered(families))
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(registry), headers={"content-type": media_type, "cache-control": "no-store"}
        )

    return router


async def _reader(request: Request, *, is_public: bool) -> Scope:
    if is_public:
        return system_scope("metrics")
    scope: Scope = await request.app.state.doorkeeper.admit(request)
    require(scope, Grant.READ)
    return scope


class _Gathered(Collector):
    """Families that were made already: collecting is not the moment to ask a database."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def gather(services: Services, scope: Scope) -> list[Metric]:
    """All families at this moment."""
    probes = _ProbeFamilies()
    cursor: str | None = None
    while True:
        query = MonitorQuery(sort="name", limit=MAX_LIMIT, cursor=cursor)
        page = await services.monitors.list(scope, query, with_figures=False)
        for view in page.items:
            probes.add(view)
        cursor = page.next_cursor
        if cursor is None:
            break
    for figures in await services.surfaces.figures(scope):
        probes.add_surface(figures)
    health = await services.status.health(scope)
    own = _own(health, services.status.gauges())
    return [*probes.families(), *own]


class _ProbeFamilies:
    """The families about monitors; one without samples is left out."""

    def __init__(self) -> None:
        self._by_name: dict[str, GaugeMetricFamily] = {}
        self._labels: dict[str, tuple[str, ...]] = {}

    def families(self) -> list[Metric]:
        """What was gathered, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    def add(self, view: MonitorView) -> None:
        """The samples of one monitor."""
        labels = (view.slug, view.id, view.kind, view.target, view.group)
        self._labels[view.id] = labels
        for state in State:
            self._put(
                "lifesign_monitor_state", "1 for the state that the monitor is in.",
                (*labels, state.value), float(view.state is state), more=("state",),
            )  # fmt: skip
        if view.failure is not None:
            why = (view.failure.layer, view.failure.code, view.failure.reason.value)
            self._put(
                "lifesign_monitor_failure", "1 for the layer that is broken and how.",
                (*labels, *why), 1.0, more=("layer", "code", "reason"),
            )  # fmt: skip
        self._put("probe_timeout_seconds", "How long one run may take.", labels, view.timeout_s)
        if view.last_run is not None:
            self._add_run(view, labels)

    def add_surface(self, figures: SurfaceFigures) -> None:
        """How the published surface of a monitor that was added before stands in one place."""
        labels = self._labels.get(figures.monitor_id)
        if labels is None:
            return
        labels, more = (*labels, figures.region, figures.audience), ("region", "audience")
        changed = figures.changed_at.timestamp()
        words = "When the published surface changed, seconds since 1970."
        self._put("lifesign_surface_changed_timestamp_seconds", words, labels, changed, more=more)
        words = "1 while something else is published than what was accepted."
        self._put("lifesign_surface_drifted", words, labels, float(figures.drifted), more=more)

    def _add_run(self, view: MonitorView, labels: tuple[str, ...]) -> None:
        run = view.last_run
        if run is None:
            return
        is_good = run.state in (State.UP, State.DEGRADED)
        self._put("probe_success", "1 when the newest run was good.", labels, float(is_good))
        seconds = run.duration_ms / 1000
        self._put("probe_duration_seconds", "How long the newest run took.", labels, seconds)
        started = run.started_at.timestamp()
        self._put("lifesign_run_timestamp_seconds", "When the newest run began.", labels, started)
        self._add_phases(view.kind, run.phases_ms, labels)
        for name, (metric, words) in _FACT_GAUGES.items():
            self._put_fact(metric, words, labels, run.facts.get(name))
        self._add_address(run.facts.get("ip"), labels)
        for name, (metric, words) in _EXPIRIES.items():
            self._add_expiry(metric, words, labels, run.facts.get(name))

    def _add_phases(
        self, kind: str, phases_ms: Mapping[str, float], labels: tuple[str, ...]
    ) -> None:
        for phase, milliseconds in phases_ms.items():
            self._put(
                "lifesign_probe_phase_seconds", "How long each phase of the newest run took.",
                (*labels, phase), milliseconds / 1000, more=("phase",),
            )  # fmt: skip
        looked_up = [phases_ms[name] for name in _HTTP_PHASES["resolve"] if name in phases_ms]
        if looked_up:
            words = "How long the name took to resolve."
            self._put("probe_dns_lookup_time_seconds", words, labels, sum(looked_up) / 1000)
        if kind not in ("http", "mcp"):
            return
        for phase, names in _HTTP_PHASES.items():
            spent_ms = sum(phases_ms.get(name, 0.0) for name in names)
            self._put(
                "probe_http_duration_seconds", "How long each phase took, over all redirects.",
                (*labels, phase), spent_ms / 1000, more=("phase",),
            )  # fmt: skip

    def _add_address(self, ip: object, labels: tuple[str, ...]) -> None:
        if isinstance(ip, str) and ip:
            version = 6.0 if ":" in ip else 4.0
            self._put("probe_ip_protocol", "IP version that was spoken.", labels, version)

    def _add_expiry(self, name: str, words: str, labels: tuple[str, ...], end: object) -> None:
        if not isinstance(end, str):
            return
        try:
            expiry = datetime.fromisoformat(end).timestamp()
        except ValueError:
            return
        self._put(name, words, labels, expiry)

    def _put_fact(self, name: str, words: str, labels: tuple[str, ...], value: object) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._put(name, words, labels, float(value))

    def _put(
        self,
        name: str,
        words: str,
        labels: tuple[str, ...],
        value: float,
        *,
        more: tuple[str, ...] = (),
    ) -> None:
        family = self._by_name.get(name)
        if family is None:
            family = self._by_name[name] = GaugeMetricFamily(name, words, labels=(*LABELS, *more))
        family.add_metric(labels, value)


def _own(health: Health, figures: Mapping[str, float]) -> list[Metric]:
    """What Lifesign says of itself."""
    build = GaugeMetricFamily("lifesign_build_info", "The version that runs.", labels=("version",))
    build.add_metric((health.version,), 1.0)
    late = GaugeMetricFamily(
        "lifesign_scheduler_lag_seconds",
        "How late the newest runs began: the median, the 99th percentile and the latest of them.",
        labels=("stat",),
    )
    # Not `quantile`: that label belongs to summaries, which count all there ever was.
    for stat, milliseconds in (
        ("p50", health.late_p50_ms), ("p99", health.late_p99_ms), ("max", health.late_max_ms),
    ):  # fmt: skip
        late.add_metric((stat,), milliseconds / 1000)
    gauges = {
        "lifesign_outbox_depth": ("Messages that wait to be sent.", health.outbox_pending),
        "lifesign_open_alerts": ("Alerts that are not resolved.", health.open_alerts),
        "lifesign_storage_up": ("1 when the database answers.", health.storage_ok),
        "lifesign_start_time_seconds": ("When it started.", health.started_at.timestamp()),
    }
    families: list[Metric] = [build, late]
    for name, (words, value) in gauges.items():
        families.append(GaugeMetricFamily(name, words, value=float(value)))
    return [*families, *_counters(figures)]


def _counters(figures: Mapping[str, float]) -> Iterable[Metric]:
    """The engine's own figures: `runs_total` is a counter, `running` a gauge; milliseconds are told as lag."""
    for name, value in figures.items():
        words = f"The engine's figure {name.replace('_', ' ')}."
        if name.endswith("_total"):
            yield CounterMetricFamily(f"lifesign_{name}", words, value=value)
        elif not name.endswith("_ms"):
            spelled = f"{name.removesuffix('_s')}_seconds" if name.endswith("_s") else name
            yield GaugeMetricFamily(f"lifesign_engine_{spelled}", words, value=value)
