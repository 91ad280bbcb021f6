"""Defaults, file, environment and flags become one configuration."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from lifesign.config import Config, ConfigError, load_config
from lifesign.core.model import Policy, Severity

Written = Callable[[str], Path]


def test_nothing_at_all_gives_the_defaults() -> None:
    config = load_config(None, {}).config

    assert Config() == config
    assert config.address == ("127.0.0.1", 8080)
    assert config.public_url == "http://127.0.0.1:8080"
    assert config.store_url.startswith("sqlite+aiosqlite:////")


def test_an_empty_file_gives_the_defaults(written: Written) -> None:
    assert Config() == load_config(written("# nothing yet\n"), {}).config


def test_a_section_that_is_all_commented_out_is_absent(written: Written) -> None:
    assert load_config(written("monitors:\n#  - name: x\n"), {}).config.monitors == ()


def test_flags_win_over_environment_over_file(written: Written) -> None:
    path = written("""
        listen: 127.0.0.1:1
        log_level: debug
        limits: {concurrency: 7, per_host: 3}
    """)
    environ = {"LIFESIGN_LISTEN": "127.0.0.1:2", "LIFESIGN_LIMITS_CONCURRENCY": "8"}

    config = load_config(path, environ, flags={"listen": "127.0.0.1:3", "data": None}).config

    assert config.listen == "127.0.0.1:3"
    assert config.log_level == "debug"
    assert (config.limits.concurrency, config.limits.per_host) == (8, 3)


def test_a_level_before_a_condition_needs_no_quotes(written: Written) -> None:
    """YAML takes `warn: …` for a mapping."""
    path = written("""
        monitors:
          - name: Shop
            target: shop.example:443
            conditions:
              - warn: latency_ms < 800ms
              - status == 200
    """)

    conditions = load_config(path, {}).config.monitors[0].conditions

    assert conditions == ("warn: latency_ms < 800ms", "status == 200")


def test_the_file_declares_monitors_channels_and_routes(written: Written) -> None:
    config = load_config(
        written("""
            monitors:
              - name: Shop
                kind: http
                settings: {url: "https://shop.example/"}
                interval: 1m30s
                conditions: ["status == 200"]
                severity: critical
                policy: {confirmations: 2, recheck: 5s, degraded: 800ms}
              - name: Mail
                target: mail.example:25
            channels:
              - {name: On call, kind: webhook, settings: {url: "https://hook.example"}}
            routes:
              - {name: All, channels: [On call], min_severity: high, events: [fired, resolved]}
        """),
        {},
    ).config

    shop, mail = config.monitors
    assert timedelta(seconds=90) == shop.interval
    assert shop.severity == Severity.CRITICAL
    assert shop.settings == {"url": "https://shop.example/"}
    assert mail.target == "mail.example:25"
    assert config.channels[0].kind == "webhook"
    assert config.routes[0].channels == ("On call",)


def test_a_policy_lays_itself_over_the_kinds_own(written: Written) -> None:
    path = written("""
        monitors:
          - {name: a, target: a.example, policy: {confirmations: 1, recheck: 5s, degraded: 800ms}}
    """)

    policy = load_config(path, {}).config.monitors[0].policy.applied_to(Policy(recoveries=9))

    assert Policy(confirmations=1, recoveries=9, recheck_s=5.0, degraded_ms=800.0) == policy


def test_yaml_reads_texts_as_people_meant_them(written: Written) -> None:
    """YAML 1.1 would make a boolean, 630 minutes and a date of these."""
    path = written("""
        monitors:
          - name: no
            target: 10:30
            group: 2026-01-01
            tags: [on, 1.2.3]
            paused: yes
    """)

    monitor = load_config(path, {}).config.monitors[0]

    assert (monitor.name, monitor.target, monitor.group) == ("no", "10:30", "2026-01-01")
    assert monitor.tags == ("on", "1.2.3")
    assert monitor.paused


def test_anchors_and_merge_keys_work(written: Written) -> None:
    path = written("""
        monitors:
          - &usual
            name: a
            target: a.example
            interval: 5m
          - <<: *usual
            name: b
    """)

    first, second = load_config(path, {}).config.monitors

    assert (first.name, second.name) == ("a", "b")
    assert timedelta(minutes=5) == first.interval == second.interval


def test_references_are_filled_in_from_variables_and_files(
    written: Written, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    path = written(f"""
        smtp:
          username: ${{env:MAIL_USER}}
          password: ${{file:{tmp_path}/secret}}
          sender: "$${{env:MAIL_USER}} ${{other}}"
    """)

    smtp = load_config(path, {"MAIL_USER": "ada"}).config.smtp

    assert smtp.username == "ada"
    assert smtp.password.get_secret_value() == "from-file"
    assert smtp.sender == "${env:MAIL_USER} ${other}"


def test_a_secret_can_be_read_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 32 + "\n")

    config = load_config(None, {"LIFESIGN_SECRET_KEY_FILE": str(tmp_path / "key")}).config

    assert config.secret_key is not None
    assert config.secret_key.get_secret_value() == "k" * 32


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    config = load_config(None, {"LIFESIGN_EGRESS_ALLOW": "127.0.0.0/8, ::1/128"}).config

    assert [str(network) for network in config.egress.allow] == ["127.0.0.0/8", "::1/128"]


def test_what_kubernetes_and_the_command_line_set_is_not_ours() -> None:
    environ = {
        "LIFESIGN_PORT": "tcp://10.0.0.1:80",
        "LIFESIGN_SERVICE_HOST": "10.0.0.1",
        "LIFESIGN_WEB_PORT_80_TCP_ADDR": "10.0.0.1",
        "LIFESIGN_URL": "http://127.0.0.1:8080",
        "LIFESIGN_TOKEN": "lsn_x",
    }

    assert Config() == load_config(None, environ).config


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_database_urls_get_their_driver(given: str, expected: str) -> None:
    assert expected == load_config(None, {"LIFESIGN_DATABASE_URL": given}).config.store_url


@pytest.mark.parametrize(
    ("listen", "url"),
    [("0.0.0.0:80", "http://127.0.0.1:80"), ("[::]:80", "http://[::1]:80")],
)
def test_the_public_url_is_one_that_can_be_opened(listen: str, url: str) -> None:
    assert url == load_config(None, {"LIFESIGN_LISTEN": listen}).config.public_url


def test_secrets_are_not_in_the_repr() -> None:
    environ = {
        "LIFESIGN_SMTP_PASSWORD": "canary-1",
        "LIFESIGN_DATABASE_URL": "postgres://u:canary-2@h/d",
    }

    assert "canary" not in repr(load_config(None, environ))


def test_a_floor_above_can_name_the_place_of_what_it_finds(written: Written) -> None:
    loaded = load_config(
        written("""
            monitors:
              - name: a
                kind: htp
        """),
        {},
    )

    problem = loaded.problem_at(
        ("monitors", 0, "kind"), "There is no such kind.", suggestion="http"
    )

    assert str(problem).endswith(
        "lifesign.yaml:3:5: monitors[0].kind: There is no such kind. Did you mean 'http'?"
    )


def test_name_servers_have_port_53_unless_they_say_otherwise() -> None:
    environ = {"LIFESIGN_EGRESS_NAMESERVERS": "192.0.2.1,192.0.2.2:5353,::1,[::1]:54"}

    egress = load_config(None, environ).config.egress

    assert egress.servers == (("192.0.2.1", 53), ("192.0.2.2", 5353), ("::1", 53), ("::1", 54))
    assert Config().egress.servers is None


@pytest.mark.parametrize(
    ("written_policy", "expected"),
    [
        (
            "latency_factor: 2.5, drift_accept: 12h",
            Policy(latency_factor=2.5, drift_accept_s=43_200),
        ),
        (
            "latency_factor: 0, drift_accept: never",
            Policy(latency_factor=None, drift_accept_s=None),
        ),
    ],
)
def test_latency_and_drift_can_be_tuned_and_turned_off(
    written: Written, written_policy: str, expected: Policy
) -> None:
    path = written(f"monitors:\n  - {{name: a, target: a.example, policy: {{{written_policy}}}}}\n")

    config = load_config(path, {}).config

    assert config.monitors[0].policy.applied_to(Policy()) == expected


def test_a_factor_that_would_tell_of_everything_is_refused(written: Written) -> None:
    path = written("monitors:\n  - {name: a, target: a.example, policy: {latency_factor: 1.0}}\n")

    with pytest.raises(ConfigError, match="or 0 to turn it off"):
        load_config(path, {})
