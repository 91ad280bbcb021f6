"""The product as its users run it: `lifesign serve` in a process of its own, and the other commands beside it."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from e2e.processes import Child, clean_environment, free_port, until

LIFESIGN = [sys.executable, "-m", "lifesign"]
SETUP_LINK = r"https?://127\.0\.0\.1:\d+/setup\?token=[\w.~-]+"


class Daemon:
    """One Lifesign over a data directory; it can be killed and started again on the same port."""

    def __init__(self, data: Path, *, config: Path | None = None) -> None:
        self.data = data
        self.config = config
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child: Child | None = None

    def start(self) -> Child:
        """Start it; it is ready to work when this returns."""
        command: list[str | Path] = [*LIFESIGN, "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--data", self.data]
        if self.config is not None:
            command += ["--config", self.config]
        self.child = Child(command, directory=self.data.parent)
        self.child.listens(self.port)
        until(self._is_ready, within=20, what="Lifesign to be ready")
        return self.child

    def _is_ready(self) -> bool:
        assert self.child is not None
        assert not self.child.ended, self.child.output
        return self.get("/readyz")[0] == 200 and (self.data / "daemon.json").exists()

    def setup_link(self) -> str:
        """The one-time link that the first start prints."""
        assert self.child is not None
        return self.child.says(SETUP_LINK)[0]

    def kill(self) -> None:
        """kill -9."""
        assert self.child is not None
        self.child.close()
        self.child = None

    def close(self) -> None:
        """Whatever is left of it."""
        if self.child is not None:
            self.kill()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one plain request; 0 when nobody listens."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except OSError:
            return 0, ""

    def run(self, *arguments: str, expect: int = 0, **environment: str) -> str:
        """Run another command against this daemon's data directory; what it wrote to stdout."""
        done = subprocess.run(
            [*LIFESIGN, *arguments],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            env=clean_environment(LIFESIGN_DATA=str(self.data), **environment),
        )
        assert done.returncode == expect, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, expect: int = 0) -> Any:
        """What a command says with --json."""
        return json.loads(self.run(*arguments, "--json", expect=expect))

    def token(self, grant: str) -> str:
        """A fresh API token with that grant."""
        said = self.run("token", "create", "end-to-end", "--grant", grant)
        found = re.search(r"lsn_\w+", said)
        assert found is not None, said
        return found[0]
