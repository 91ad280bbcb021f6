"""What one probe costs at the wire: new connections through `HTTPConnection`, all phases, against a local nginx.

    python bench/raw_probe.py [--seconds 3] [--in-flight 64] [--stock] [--only "http kind"]

The two `kind` rows are the whole http kind, facts and certificate included.
Prints probes per CPU-second of this process (user + system). nginx runs on the last CPU, the prober on the first.
"""

import argparse
import asyncio
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import trustme
import uvloop

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.net.http import HTTPConnection, Request, parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.http import HTTPSettings, probe_http
from lifesign.probes.registry import ProbeContext

HTTP_PORT, HTTPS_PORT = 28080, 28443
CONFIG = """
daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  server {{ listen 127.0.0.1:{http}; location / {{ default_type application/json; return 200 '{{"status":"ok","depth":3}}'; }} }}
  server {{ listen 127.0.0.1:{https} ssl; ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
    ssl_session_cache off; ssl_session_tickets off;
    location / {{ default_type application/json; return 200 '{{"status":"ok","depth":3}}'; }} }}
}}
"""


@contextmanager
def nginx(root: Path, authority: trustme.CA):
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).exists():
        sys.exit("This benchmark needs nginx (apt install nginx-light).")
    leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    (root / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    (root / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    (root / "nginx.conf").write_text(CONFIG.format(root=root, http=HTTP_PORT, https=HTTPS_PORT))
    process = subprocess.Popen([binary, "-c", str(root / "nginx.conf"), "-p", str(root)])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


async def wait_for(port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
    sys.exit("nginx did not start.")


async def run(name: str, scheme: str, port: int, *, options, authority_pem: str) -> None:
    net = Net.open()
    url = parse_url(f"{scheme}://127.0.0.1:{port}/")
    request = Request("GET", url)
    tls = TLSOptions(ca_pem=authority_pem)
    loop = asyncio.get_running_loop()
    until = loop.time() + options.seconds
    counts = [0, 0]

    async def fresh() -> None:
        while loop.time() < until:
            deadline = loop.time() + 10
            phases: dict[str, float] = {}
            async with await HTTPConnection.connect(
                net, url, deadline=deadline, phases=phases, tls=tls
            ) as connection:
                response = await connection.exchange(request, deadline=deadline, phases=phases)
            counts[response.status != 200] += 1

    async def whole_kind() -> None:
        settings = HTTPSettings(url=str(url), ca_pem=authority_pem)
        memory: dict[str, object] = {}
        while loop.time() < until:
            context = ProbeContext(net, SystemClock(), loop.time() + 10, memory=memory)
            seen = await probe_http(settings, context)
            counts[seen.facts.get("status") != 200] += 1

    async def kept() -> None:
        deadline = loop.time() + 60
        phases: dict[str, float] = {}
        async with await HTTPConnection.connect(
            net, url, deadline=deadline, phases=phases, tls=tls
        ) as connection:
            while loop.time() < until:
                response = await connection.exchange(request, deadline=deadline, phases=phases)
                counts[response.status != 200] += 1

    work = {"keepalive": kept, "http kind": whole_kind, "https kind": whole_kind}.get(name, fresh)
    await wait_for(port)
    net.trust.context(tls)
    began, cpu = time.perf_counter(), _cpu()
    async with asyncio.TaskGroup() as group:
        for _ in range(options.in_flight):
            group.create_task(work())
    wall, spent = time.perf_counter() - began, _cpu() - cpu
    print(
        f"{name:11} {counts[0] / spent:8.0f} per CPU-second   {counts[0] / wall:8.0f}/s at "
        f"{100 * spent / wall:3.0f} % CPU   {counts[1]} bad   {1e6 * spent / max(counts[0], 1):.0f} µs each"
    )


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--stock", action="store_true", help="stock asyncio instead of uvloop")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[0]})
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    pem = authority.cert_pem.bytes().decode()
    start = asyncio.run if options.stock else uvloop.run
    with tempfile.TemporaryDirectory() as directory, nginx(Path(directory), authority) as pid:
        os.sched_setaffinity(pid, {cpus[-1]})
        for name, scheme, port in (
            ("http", "http", HTTP_PORT),
            ("https", "https", HTTPS_PORT),
            ("keepalive", "http", HTTP_PORT),
            ("http kind", "http", HTTP_PORT),
            ("https kind", "https", HTTPS_PORT),
        ):
            if options.only in {"", name}:
                start(run(name, scheme, port, options=options, authority_pem=pem))


if __name__ == "__main__":
    main()
