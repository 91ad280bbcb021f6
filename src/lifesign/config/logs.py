"""Logging: one pipeline for structlog, the standard library and uvicorn; to stderr, never a secret."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "console", "json"]

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|authorization|cookie|credential|api_?key|private_?key"
)
_SECRET_TEXT = (
    (re.compile(r"(?<=://)[^/\s@]+@"), "***@"),
    (re.compile(r"\blsn_[a-z]+_[0-9A-Za-z]{36}\b"), "lsn_***"),
    (re.compile(r"\bwhs(ec|k)_[0-9A-Za-z+/=]{16,}"), "whsec_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[0-9A-Za-z._~+/=-]{8,}"), r"\1 ***"),
)
"""Userinfo of URLs, our tokens, webhook secrets and Authorization values: what slips into texts."""

_TOO_CHATTY = (
    "httpx2",
    "httpcore2",
    "aiosqlite",
    "hpack",
    "asyncio",
    "alembic",
    "apprise",
    "urllib3",
)
"""Libraries whose INFO and DEBUG lines say each request with its URL, which may be a secret itself."""


def configure_logging(log_format: LogFormat, level: str, *, stream: TextIO = sys.stderr) -> None:
    """Send every record of the process through one pipeline to `stream`.

    `auto` writes for people when `stream` is a terminal and one JSON object a line otherwise. Start
    uvicorn with `log_config=None`, so that its records arrive here too.
    """
    for_people = log_format == "console" or (log_format == "auto" and stream.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared = _shared_processors(for_people=for_people)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=False,
    )
    output = logging.StreamHandler(stream)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _without_colour_message, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                _renderer(for_people=for_people, stream=stream),
            ],
        )
    )
    _take_over_the_standard_library(output, threshold)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask values whose name says that they are secret, and secrets that stand within texts."""
    return {name: _masked(name, value) for name, value in event.items()}


def _shared_processors(*, for_people: bool) -> list[Processor]:
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(
            fmt="%H:%M:%S" if for_people else "iso", utc=not for_people
        ),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    if for_people:
        return processors
    # Locals in tracebacks would print settings, and with them secrets.
    plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [*processors, structlog.processors.ExceptionRenderer(plain)]


def _renderer(*, for_people: bool, stream: TextIO) -> Processor:
    if for_people:
        plain = structlog.dev.plain_traceback
        return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
    return structlog.processors.JSONRenderer()


def _take_over_the_standard_library(output: logging.Handler, threshold: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    for name in _TOO_CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


def _without_colour_message(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Uvicorn sends the same text a second time with colours in it."""
    event.pop("color_message", None)
    return event


def _masked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name.lower()) and value not in (None, "", False, True):
        return "***"
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {key: _masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, inner) for inner in value]
    return value
