"""HTTP/2 over a stream: the `h2` state machine between a stream and an `Incoming`."""

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from lifesign.net.http1 import RequestShape
from lifesign.net.response import MAX_HEADER_BYTES, Incoming
from lifesign.net.stream import Stream

_HOP_HEADERS = frozenset(
    {"connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
_WINDOW = 1024 * 1024


class HTTP2:
    """One connection's codec; it runs one request at a time, as a probe does."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="latin-1")
        )
        self._connection.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
            },
        )
        self._incoming: Incoming | None = None
        self._stream_id = 0
        self._unsent = b""
        self._wire_bytes = 0
        self.reusable = True
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(_WINDOW)
        self._flush()

    def begin(self, request: RequestShape, incoming: Incoming) -> None:
        """Send the request; its response goes into `incoming`."""
        self._incoming = incoming
        incoming.http_version = "2"
        self._wire_bytes = 0
        self._stream_id = self._connection.get_next_available_stream_id()
        headers = [
            (":method", request.method),
            (":scheme", request.url.scheme),
            (":authority", _authority(request)),
            (":path", request.url.target),
        ]
        headers += [
            (name.lower(), value)
            for name, value in request.headers
            if name.lower() not in _HOP_HEADERS
        ]
        if not any(name == "user-agent" for name, _ in headers):
            headers.append(("user-agent", "Lifesign"))
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("content-length", str(len(request.body))))
        self._unsent = request.body
        self._connection.send_headers(self._stream_id, headers, end_stream=not request.body)
        self._send_body()
        self._flush()

    def feed(self, data: bytes, /) -> None:
        incoming = self._incoming
        self._wire_bytes += len(data)
        try:
            for event in self._connection.receive_data(data):
                self._take(event, incoming)
        except h2.exceptions.ProtocolError as error:
            self.reusable = False
            if incoming is not None:
                incoming.fail("bad_response", f"broke HTTP/2 ({type(error).__name__})")
        self._flush()
        if incoming is not None and self._wire_bytes > MAX_HEADER_BYTES * 4 + incoming.max_body * 8:
            self.reusable = False
            incoming.fail("bad_response", "sent far more framing than body")

    def eof(self, error: OSError | None, /) -> None:  # noqa: ARG002 - the stream remembers the error
        self.reusable = False
        if self._incoming is not None and not self._incoming.complete:
            self._incoming.wake()

    def _take(self, event: h2.events.Event, incoming: Incoming | None) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.reusable = False
            if incoming is not None and not incoming.complete:
                incoming.fail(
                    "closed_early", f"ended the HTTP/2 connection (error {event.error_code})"
                )
            return
        if isinstance(event, h2.events.WindowUpdated):
            self._send_body()
            return
        if incoming is None or getattr(event, "stream_id", None) != self._stream_id:
            return
        self._take_response(event, incoming)

    def _take_response(self, event: h2.events.Event, incoming: Incoming) -> None:
        if isinstance(event, h2.events.InformationalResponseReceived):
            incoming.touch()
            incoming.next_interim()
        elif isinstance(event, h2.events.ResponseReceived):
            incoming.touch()
            for name, value in map(_line, event.headers or ()):
                if name == ":status":
                    incoming.status = int(value)
                else:
                    incoming.add_header(name, value)
            incoming.end_headers()
        elif isinstance(event, h2.events.DataReceived):
            self._connection.acknowledge_received_data(
                event.flow_controlled_length or 0, self._stream_id
            )
            if not incoming.complete and incoming.failure is None:
                incoming.add_body(event.data or b"")
                self.reusable = self.reusable and not incoming.truncated
        elif isinstance(event, h2.events.StreamEnded):
            if not incoming.complete:
                incoming.end()
        elif isinstance(event, h2.events.StreamReset):
            incoming.fail("closed_early", f"reset the HTTP/2 stream (error {event.error_code})")

    def _send_body(self) -> None:
        while self._unsent:
            room = min(
                self._connection.local_flow_control_window(self._stream_id),
                self._connection.max_outbound_frame_size,
            )
            if room <= 0:
                return
            piece, self._unsent = self._unsent[:room], self._unsent[room:]
            self._connection.send_data(self._stream_id, piece, end_stream=not self._unsent)

    def _flush(self) -> None:
        data = self._connection.data_to_send()
        if data and not self._stream.lost:
            self._stream.write(data)


def _line(pair: tuple[bytes | str, bytes | str]) -> tuple[str, str]:
    """A header line as text, whatever `h2` gives."""
    name, value = (part if isinstance(part, str) else part.decode("latin-1") for part in pair[:2])
    return name, value


def _authority(request: RequestShape) -> str:
    return next(
        (value for name, value in request.headers if name.lower() == "host"), request.url.authority
    )
