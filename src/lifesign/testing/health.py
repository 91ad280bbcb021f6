"""The health endpoint that stands beside the server."""

from datetime import datetime, timedelta
from typing import Any

from lifesign.testing.answers import Answer, as_json
from lifesign.testing.protocol import now


def health_document(
    status: str = "ok", *, at: datetime | None = None, depth: int = 3
) -> dict[str, Any]:
    """What a health endpoint says: its own status, its parts, a queue, and when it last looked."""
    return {
        "status": status,
        "updatedAt": (at or now()).isoformat(),
        "components": {"database": {"status": status}, "search": {"status": "ok"}},
        "queue": {"depth": depth},
    }


def health_of(
    status: str = "ok", code: int = 200, *, age: timedelta = timedelta(0), depth: int = 3
) -> Answer:
    """The answer of a health endpoint that last looked `age` ago."""
    return as_json(health_document(status, at=now() - age, depth=depth), code)
