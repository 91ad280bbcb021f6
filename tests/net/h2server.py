"""The server side of HTTP/2 by `h2`: answers with a body, or with what it was sent."""

import asyncio

import h2.config
import h2.connection
import h2.events


def h2_script(body: bytes | None):
    """A script for `RawServers.start`; with None the request's own body comes back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        connection.initiate_connection()
        received, unsent = b"", {}
        while True:
            writer.write(connection.data_to_send())
            data = await reader.read(65536)
            if not data:
                return
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    received += event.data
                    connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", "200"), ("x-a", "b")])
                    unsent[event.stream_id] = received if body is None else body
            for stream_id in list(unsent):
                unsent[stream_id] = send_some(connection, stream_id, unsent[stream_id])
                if unsent[stream_id] is None:
                    del unsent[stream_id]

    return serve


def send_some(connection, stream_id: int, data: bytes) -> bytes | None:
    """Send what the window allows; what is left, or None when all is sent."""
    while data:
        room = min(
            connection.local_flow_control_window(stream_id), connection.max_outbound_frame_size
        )
        if room <= 0:
            return data
        connection.send_data(stream_id, data[:room], end_stream=len(data) <= room)
        data = data[room:]
    return None
