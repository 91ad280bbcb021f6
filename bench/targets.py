"""What is probed, on the other core: nginx with and without TLS, and the farm (MCP, hanging addresses)."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import outside
from bench.farm import ADDRESSES, hanging_address
from bench.product import TARGET_CORE, pinned
from e2e.processes import Child, clean_environment, free_port
from e2e.targets import PrivateCA

HANGING = 500
_NGINX = """\
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; ssl_session_cache off; ssl_session_tickets off; server_tokens off;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    {plain}
    location / {{ default_type application/json; return 200 '{{"status": "ok", "queue": {{"depth": 3}}}}'; }}
    location = /count {{ stub_status; }}
  }}
  server {{
    {tls}
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    location / {{ default_type text/plain; return 200 "ok"; }}
  }}
  upstream farm {{ server 127.0.0.1:{mcp}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    {mcp_tls}
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    location / {{ proxy_pass http://farm; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Targets:
    """Ports of everything that can be probed; `root` is the authority that signed the TLS certificate."""

    plain: int
    tls: int
    mcp: int
    mcp_tls: int
    hang: int
    root: Path
    nginx: Child

    def http(self, number: int) -> str:
        """A URL of the plain site, another address for each number."""
        return f"http://{ADDRESSES[number % len(ADDRESSES)]}:{self.plain}/{number}"

    def https(self, number: int) -> str:
        """A URL of the TLS site."""
        return f"https://{ADDRESSES[number % len(ADDRESSES)]}:{self.tls}/{number}"

    def mcp_url(self, number: int, path: str = "mcp") -> str:
        """A URL of the MCP server of that path."""
        return f"http://{ADDRESSES[number % len(ADDRESSES)]}:{self.mcp}/{path}/{number}"

    def mcp_tls_url(self, number: int, path: str = "mcp") -> str:
        """The same behind TLS."""
        return f"https://{ADDRESSES[number % len(ADDRESSES)]}:{self.mcp_tls}/{path}/{number}"

    def hanging(self, number: int) -> str:
        """A URL that takes a connection and never answers."""
        return f"http://{hanging_address(number % HANGING)}:{self.hang}/"


@contextmanager
def targets(directory: Path) -> Iterator[Targets]:
    """Everything that is probed, up."""
    directory.mkdir(parents=True, exist_ok=True)
    plain, tls, mcp, mcp_tls, hang = (free_port() for _ in range(5))
    authority = PrivateCA(directory / "ca")
    certificate = directory / "server.pem"
    authority.issue_for(ADDRESSES, path=certificate)
    with ExitStack() as stack:
        nginx = stack.enter_context(
            _nginx(
                directory, plain=plain, tls=tls, mcp=mcp, mcp_tls=mcp_tls, certificate=certificate
            )
        )
        farm = [sys.executable, "-m", "bench.farm", str(mcp), str(hang), str(HANGING)]
        child = stack.enter_context(
            Child(pinned(TARGET_CORE, farm), environment=clean_environment())
        )
        child.says("ready")
        yield Targets(plain, tls, mcp, mcp_tls, hang, authority.root, nginx)


def _nginx(
    directory: Path, *, plain: int, tls: int, mcp: int, mcp_tls: int, certificate: Path
) -> Child:
    config = directory / "nginx.conf"
    config.write_text(
        _NGINX.format(
            directory=directory,
            certificate=certificate,
            plain=" ".join(f"listen {address}:{plain} backlog=4096;" for address in ADDRESSES),
            tls=" ".join(f"listen {address}:{tls} ssl backlog=4096;" for address in ADDRESSES),
            mcp=mcp,
            mcp_tls=" ".join(
                f"listen {address}:{mcp_tls} ssl backlog=4096;" for address in ADDRESSES
            ),
        ),
        "utf-8",
    )
    nginx = [outside.path_of("nginx"), "-p", directory, "-e", "stderr", "-c", config]
    child = Child(pinned(TARGET_CORE, nginx), environment=clean_environment())
    child.listens(tls)
    return child
