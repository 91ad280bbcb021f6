"""Live events as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
import structlog
from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from lifesign.api.doors import Reader
from lifesign.core.batch import Event
from lifesign.core.errors import LifesignError
from lifesign.service.services import Services

HEARTBEAT_S = 15.0
"""Proxies close what is silent for a minute, some for half of one."""
RETRY_MS = 3000

_LARGEST_ID = 2**53 - 1

_log = structlog.get_logger(__name__)


class EventStream(Response):
    """An endless answer: events as they come, a comment when none came, an end when the reader or we go."""

    media_type: str | None = "text/event-stream"

    def __init__(self, events: AsyncIterator[Event], *, heartbeat_s: float) -> None:
        super().__init__(None, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._heartbeat_s = heartbeat_s

    async def __call__(self, _scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Send until the events end, or the reader has gone."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        await _send(send, f"retry: {RETRY_MS}\n\n".encode())
        async with asyncio.TaskGroup() as tasks:
            beating = tasks.create_task(self._beat(send))
            watching = tasks.create_task(_gone(receive))
            writing = tasks.create_task(self._write(send))
            await asyncio.wait({watching, writing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (beating, watching, writing):
                task.cancel()
        if not watching.done() or watching.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send) -> None:
        try:
            async for event in self._events:
                await _send(send, frame(event))
        except LifesignError as refusal:
            # The reader comes again by itself and asks for what it missed.
            _log.warning("event_stream_ended", reason=str(refusal))

    async def _beat(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            await _send(send, b": still here\n\n")


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def frame(event: Event) -> bytes:
    """One event on the wire. What is live only (id 0) has no id, so that a replay begins where it should."""
    data = msgspec.json.encode(
        {
            "id": event.id,
            "type": event.type,
            "at": event.at,
            "monitor_id": event.monitor_id,
            "data": event.data,
        }
    )
    head = f"id: {event.id}\n" if event.id else ""
    return f"{head}event: {event.type}\ndata: ".encode() + data + b"\n\n"


def event_routes(services: Services) -> APIRouter:
    """The stream."""
    router = APIRouter(tags=["events"])

    @router.get(
        "/events",
        status_code=200,
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def follow_events(
        scope: Reader,
        last_event_id: Annotated[
            int | None, Query(ge=0, le=_LARGEST_ID, description="Replay what came after it.")
        ] = None,
        header_id: Annotated[
            str, Header(alias="Last-Event-ID", description="The same; browsers send it.")
        ] = "",
    ) -> Response:
        """What happens, as it happens. On `resync`, read the current state anew and go on."""
        after_id = int(header_id) if _is_id(header_id) else last_event_id
        services.live.ensure_room()
        events = services.live.follow(scope, after_id)
        return EventStream(events, heartbeat_s=HEARTBEAT_S)

    return router


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= _LARGEST_ID
