"""Every record of the process leaves by one pipeline, and no secret with it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from lifesign.config.logs import configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Give the process its logging back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def records(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_pipe_gets_one_json_object_a_line() -> None:
    stream = io.StringIO()
    configure_logging("auto", "info", stream=stream)

    structlog.get_logger("lifesign.engine").info("probed", monitor="m1", late_ms=3)

    (record,) = records(stream)
    assert record.pop("timestamp")
    assert record == {
        "event": "probed",
        "level": "info",
        "logger": "lifesign.engine",
        "monitor": "m1",
        "late_ms": 3,
    }


def test_a_terminal_gets_lines_for_people() -> None:
    stream = Terminal()
    configure_logging("auto", "info", stream=stream)

    structlog.get_logger("lifesign").warning("slow", seconds=3)

    assert "slow" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_uvicorn_and_the_standard_library_go_the_same_way() -> None:
    stream = io.StringIO()
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(io.StringIO()))
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    configure_logging("json", "info", stream=stream)

    logging.getLogger("uvicorn.error").info(
        "Started on %s", "127.0.0.1", extra={"color_message": "\x1b[1mStarted"}
    )
    logging.getLogger("uvicorn.access").info("%s %s", "GET", "/healthz", extra={"status": 200})

    started, access = records(stream)
    assert started["event"] == "Started on 127.0.0.1"
    assert "color_message" not in started
    assert (access["event"], access["status"]) == ("GET /healthz", 200)


def test_what_is_milder_than_the_level_is_not_written() -> None:
    stream = io.StringIO()
    configure_logging("json", "warning", stream=stream)

    structlog.get_logger("lifesign").info("quiet")
    logging.getLogger("other").info("quiet")
    logging.getLogger("other").error("loud")

    assert [record["event"] for record in records(stream)] == ["loud"]


def test_http_clients_do_not_log_the_urls_they_ask() -> None:
    """The URL of a chat webhook is its secret."""
    stream = io.StringIO()
    configure_logging("json", "debug", stream=stream)

    logging.getLogger("httpx2").info("HTTP Request: POST https://hooks.example/T0/B0/canary")
    logging.getLogger("httpcore2.connection").debug("canary")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_are_masked_by_name_and_by_shape(log_format: str) -> None:
    stream = io.StringIO()
    configure_logging(log_format, "info", stream=stream)

    structlog.get_logger("lifesign").info(
        "sent to https://ada:canary-1@host/",
        password="canary-2",
        settings={"api_key": "canary-3", "headers": ["Bearer canary-456789"]},
        note="lsn_user_canary7" + "0" * 29 + " whsec_canary8AAAAAAAAAA",
        set_cookie=["canary-9"],
    )

    assert "canary" not in stream.getvalue()
    assert "ada" not in stream.getvalue()
    assert "***@host/" in stream.getvalue()


def test_an_exception_is_told_without_the_values_of_variables() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream=stream)
    logger = structlog.get_logger("lifesign")

    def fail(settings: str) -> None:
        raise RuntimeError(f"broken after {len(settings)}")

    try:
        fail("canary")
    except RuntimeError:
        logger.exception("bug")

    (record,) = records(stream)
    assert "broken after 6" in json.dumps(record["exception"])
    assert "'canary'" not in stream.getvalue()
