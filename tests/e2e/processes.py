"""Real child processes: started in a group of their own, read as they speak, ended by their id."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")
GLANCE_S = 0.05


def until(claim: Callable[[], T | None], *, within: float, what: str) -> T:
    """Look again and again until `claim` gives something true; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while True:
        found = claim()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {within:g} s in vain for {what}; last seen: {found!r}.")
        pause.wait(GLANCE_S)


def free_port() -> int:
    """A port of loopback that nobody holds now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def clean_environment(**extra: str) -> dict[str, str]:
    """Ours without what would configure Lifesign or a proxy."""
    unwanted = re.compile(r"^(LIFESIGN_.*|https?_proxy|all_proxy)$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not unwanted.match(name)}
    return kept | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"} | extra


class Child:
    """One process with its output; `with Child(...)` leaves nothing of its group behind."""

    def __init__(
        self,
        command: Iterable[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.command = [str(word) for word in command]
        self._lines: list[str] = []
        self._spoke = threading.Condition()
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=dict(environment or clean_environment()),
            cwd=directory,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._spoke:
                self._lines.append(line)
                self._spoke.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process itself is gone."""
        return self._process.poll() is not None

    @property
    def output(self) -> str:
        """All that it has said so far, on both streams."""
        with self._spoke:
            return "".join(self._lines)

    def says(self, pattern: str, *, within: float = 20) -> re.Match[str]:
        """The first match of `pattern` in its output."""

        def heard() -> re.Match[str] | None:
            found = re.search(pattern, self.output)
            if found is None and self._process.poll() is not None:
                raise AssertionError(f"{self.command} ended early:\n{self.output}")
            return found

        try:
            return until(heard, within=within, what=f"{pattern!r} from {self.command[0]}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def listens(self, port: int, *, within: float = 20) -> None:
        """Wait until it accepts connections."""

        def open_or_dead() -> bool:
            if self._process.poll() is not None:
                raise AssertionError(f"{self.command} ended early:\n{self.output}")
            return is_open(port)

        until(open_or_dead, within=within, what=f"{self.command[0]} to listen on {port}")

    def kill(self) -> None:
        """kill -9 for the whole group, and gone when this returns."""
        self._signal(signal.SIGKILL)
        self._process.wait(timeout=10)
        self._reader.join(timeout=10)

    def terminate(self, *, within: float) -> int:
        """SIGTERM to the process itself; its exit status, or AssertionError when it takes longer."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"Still running {within:g} s after SIGTERM:\n{self.output}"
            ) from None

    def _signal(self, number: signal.Signals) -> None:
        # The group lives as long as any of its members, also when its leader has ended.
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """End what is left of it and give its pipe back."""
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
