"""A receiver of webhooks that believes only what the reference library of Standard Webhooks verifies."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"an end-to-end secret of 32 bytes").decode()


@dataclass(frozen=True)
class Received:
    """One webhook whose signature was right."""

    id: str
    body: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def text(self) -> str:
        return json.dumps(self.body)


@dataclass
class Sink:
    """Collects webhooks. While `gate` is closed it takes a request and does not answer."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def of(self, type: str, text: str) -> list[Received]:
        """Those of a type that mention `text`."""
        return [one for one in list(self.received) if one.type == type and text in one.text]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Verify and keep one; the HTTP status to answer."""
        try:
            verified = Webhook(SECRET).verify(body, headers)
        except Exception as error:  # noqa: BLE001 - whatever the library says against it
            self.refused.append(repr(error))
            return 400
        self.received.append(Received(headers["webhook-id"], dict(verified)))
        self.gate.wait(timeout=60)
        return 204


def _receiver(sink: Sink) -> type[http.server.BaseHTTPRequestHandler]:
    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = sink.take({name.lower(): value for name, value in self.headers.items()}, body)
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:
                return  # the sender was killed while it waited

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Receiver


@contextmanager
def listening() -> Iterator[Sink]:
    """A sink on loopback that answers at once."""
    sink = Sink()
    sink.gate.set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _receiver(sink))
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield sink
    finally:
        sink.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
