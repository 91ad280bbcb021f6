"""What is watched: a real nginx, a real TLS server with a private CA, and MCP servers that we did not write.

Every target keeps its port, so that one that was killed can come back as the same thing.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

import outside
from e2e.processes import Child, clean_environment, free_port

_NGINX = """\
daemon off; master_process on; worker_processes 1; pid {directory}/nginx.pid; error_log stderr notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port}{tls};
    location / {{ default_type text/plain; return 200 "fine\\n"; }}
  }}
}}
"""


@dataclass
class Target:
    """Something that can be killed and brought back. `pasted` is what a person types into the box."""

    name: str
    pasted: str
    kind: str
    port: int
    command: list[str | Path]
    environment: dict[str, str] = field(default_factory=dict)
    child: Child | None = None

    def start(self) -> None:
        """Bring it up; it accepts connections when this returns."""
        self.child = Child(self.command, environment=clean_environment(**self.environment))
        self.child.listens(self.port, within=30)

    def kill(self) -> None:
        """kill -9, with all that it started."""
        if self.child is not None:
            self.child.close()
            self.child = None


def nginx(directory: Path, *, port: int, tls: str = "") -> list[str | Path]:
    """The command of an nginx that answers 200 to everything on `port`."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "nginx.conf"
    path.write_text(_NGINX.format(directory=directory, port=port, tls=tls), "utf-8")
    return [outside.path_of("nginx"), "-p", directory, "-e", "stderr", "-c", path]


def plain_site(directory: Path) -> Target:
    """An nginx without TLS."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    return Target("nginx", url, "http", port, nginx(directory / "plain", port=port))


@dataclass
class PrivateCA:
    """A certificate authority of our own and where its certificates lie."""

    directory: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def root(self) -> Path:
        """The root certificate, as PEM."""
        path = self.directory / "root.pem"
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self.authority.cert_pem.write_to_path(path)
        return path

    def issue(self, name: str, *, expired: bool = False) -> Path:
        """A certificate for localhost with its key in one file."""
        end = datetime.now(UTC) + (timedelta(days=-1) if expired else timedelta(days=60))
        start = datetime.now(UTC) - timedelta(days=30)
        path = self.directory / f"{name}.pem"
        self.directory.mkdir(parents=True, exist_ok=True)
        issued = self.authority.issue_cert("localhost", not_before=start, not_after=end)
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def issue_for(self, names: Iterable[str], *, path: Path) -> None:
        """A certificate for several names or addresses, with its key in one file."""
        issued = self.authority.issue_cert(*names)
        issued.private_key_and_cert_chain_pem.write_to_path(path)


def tls_site(directory: Path, authority: PrivateCA) -> Target:
    """An nginx with a certificate of the private CA, watched as a TLS server."""
    port = free_port()
    certificate = authority.issue("good")
    tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}"
    command = nginx(directory / "tls", port=port, tls=tls)
    return Target("private TLS", f"https://localhost:{port}/", "http", port, command)


def everything_server() -> Target:
    """The reference MCP server of the protocol's authors, over Streamable HTTP."""
    port = free_port()
    command: list[str | Path] = [outside.path_of("mcp-everything"), "streamableHttp"]
    url = f"http://127.0.0.1:{port}/mcp"
    return Target("everything", url, "mcp", port, command, {"PORT": str(port)})


def time_server() -> Target:
    """A stdio MCP server from PyPI behind a proxy from PyPI, over Streamable HTTP."""
    port = free_port()
    proxy = Path(outside.path_of("mcp-proxy"))
    command: list[str | Path] = [
        proxy,
        "--stateless",
        f"--port={port}",
        "--host=127.0.0.1",
        "--",
        proxy.with_name("mcp-server-time"),
        "--local-timezone=UTC",
    ]
    return Target("time", f"http://127.0.0.1:{port}/mcp", "mcp", port, command)


@contextmanager
def running(*targets: Target) -> Iterator[tuple[Target, ...]]:
    """All of them up; none of them left behind."""
    with ExitStack() as stack:
        for target in targets:
            stack.callback(target.kill)
            target.start()
        yield targets
