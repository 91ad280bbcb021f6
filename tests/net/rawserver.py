"""Servers that say exactly what a test wants them to say, on loopback, over TCP, TLS or UDP."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import dns.message
import dns.rrset
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServers:
    """Starts servers and closes everything they hold at the end of the test."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.accepted = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.idle = asyncio.Event()
        self.idle.set()
        self.heard: list[bytes] = []

    async def start(self, script: Script, *, context: ssl.SSLContext | None = None) -> int:
        """Run `script` for each connection; returns the port."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            self.open.add(writer)
            self.idle.clear()
            try:
                await script(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                pass
            finally:
                writer.transport.abort()
                self.open.discard(writer)
                if not self.open:
                    self.idle.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        self.stack.push_async_callback(self._stop, server)
        return server.sockets[0].getsockname()[1]

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        for writer in list(self.open):
            writer.transport.abort()

    async def answer(self, *replies: bytes, context: ssl.SSLContext | None = None) -> int:
        """Answer each request with the next reply (the last one again and again), keeping alive."""

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            turn = 0
            while True:
                self.heard.append(await read_request(reader))
                writer.write(replies[min(turn, len(replies) - 1)])
                turn += 1

        return await self.start(script, context=context)

    async def say(
        self, reply: bytes, *, end: str = "close", context: ssl.SSLContext | None = None
    ) -> int:
        """Answer one request and then `close`, `reset` or `hold` the connection."""

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heard.append(await read_request(reader))
            writer.write(reply)
            await writer.drain()
            if end == "hold":
                await reader.read()
            elif end == "reset":
                reset(writer)
            else:
                writer.close()
                await writer.wait_closed()

        return await self.start(script, context=context)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


def reply(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> bytes:
    """A plain response with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *filter(None, [headers])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def raw_servers() -> AsyncIterator[RawServers]:
    servers = RawServers()
    async with servers.stack:
        yield servers


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def self_signed_context(tmp_path, host: str) -> ssl.SSLContext:
    """A server context whose certificate signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "self.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


Zone = dict[tuple[str, str], dns.message.Message | None]
Answerer = Callable[[dns.message.Message, bool], bytes | None]


class NameServer(asyncio.DatagramProtocol):
    """A name server over UDP; `answer(question, over_tcp)` gives the wire answer or None for silence."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        question = dns.message.from_wire(data)
        self.asked.append(question.question[0].to_text())
        wire = self._answer(question, False)
        if wire is not None and self.transport is not None:
            self.transport.sendto(wire, addr)


@asynccontextmanager
async def name_server(answer: Answerer) -> AsyncIterator[tuple[tuple[str, int], NameServer]]:
    """Serve `answer` on one UDP and TCP port of loopback."""
    loop = asyncio.get_running_loop()

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        wire = answer(dns.message.from_wire(await reader.readexactly(size)), True)
        if wire is not None:
            writer.write(struct.pack("!H", len(wire)) + wire)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(over_tcp, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    protocol = NameServer(answer)
    transport, _ = await loop.create_datagram_endpoint(lambda: protocol, local_addr=address)
    try:
        yield address, protocol
    finally:
        transport.close()
        server.close()


def records(question: dns.message.Message, *texts: str, rcode: int = 0, flags: int = 0) -> bytes:
    """An answer whose records are given as `name ttl IN TYPE value`."""
    answer = dns.message.make_response(question)
    answer.set_rcode(rcode)
    answer.flags |= flags
    for text in texts:
        name, ttl, klass, kind, value = text.split(" ", 4)
        answer.answer.append(dns.rrset.from_text(name, int(ttl), klass, kind, value))
    return answer.to_wire()


@asynccontextmanager
async def blocking_tls_server(context: ssl.SSLContext, said: bytes) -> AsyncIterator[int]:
    """A TLS server on a thread: unlike asyncio's, it sends the alert that says why it refuses."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            raw, _ = listener.accept()
            raw.settimeout(10)
            with (
                suppress(OSError),
                context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as secure,
            ):
                try:
                    secure.do_handshake()
                    secure.recv(65536)
                    secure.sendall(said)
                except ssl.SSLError:
                    # Closing with unread data would send RST, which may overtake the alert.
                    while socket.socket.recv(secure, 65536):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        socket.create_connection(listener.getsockname()).close()
        await asyncio.to_thread(thread.join, timeout=10)
        listener.close()
