"""The same server as a program on standard streams: a JSON message a line, and faults of its own.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from lifesign.testing.dialogue import Dialogue, Said
from lifesign.testing.everything import EVERYTHING
from lifesign.testing.faults import FAULTS, Where
from lifesign.testing.protocol import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN_VERSION,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    Era,
)

EXIT_STATUS = 3
"""How the program ends when it is told to end early."""

GRANDCHILD_S = 120
"""A grandchild that nobody ends is gone after this time."""


@dataclass
class Program:
    """One run of the program. Its streams are given, so that it can be tried without a process."""

    source: BinaryIO
    sink: BinaryIO
    era: Era = Era.DUAL
    fault: str = ""

    def run(self) -> int:
        """Serve until stdin ends; the exit status."""
        act = _ACTS.get(self.fault)
        if act is not None and (status := act(self)) is not None:
            return status
        dialogue = Dialogue(EVERYTHING)
        for line in self.source:
            if self.fault == "stdio/stdout_pollution":
                self._write(b"DEBUG took a request of %d bytes\n" % len(line))
            if line.strip():
                self._say(self._answer(dialogue, line))
        return _stay_deaf() if self.fault == "stdio/deaf" else 0

    def _answer(self, dialogue: Dialogue, line: bytes) -> Said:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return _wrong(None, PARSE_ERROR, "Parse error")
        if not isinstance(message, dict):
            return _wrong(None, INVALID_REQUEST, "Send one message a line")
        return self._refusal(message) or dialogue.answer(message, _era_of(message))

    def _refusal(self, message: Mapping[str, Any]) -> Said | None:
        """What an era does not take; None for what it does."""
        asked, version = message.get("id"), _version_of(message)
        if self.era is Era.LEGACY and message.get("method") == "server/discover":
            return _wrong(asked, METHOD_NOT_FOUND, "Method not found: server/discover")
        is_handshake = self.era is Era.MODERN and version is None
        if is_handshake or version not in {None, MODERN_VERSION}:
            data = {"supported": [MODERN_VERSION], "requested": version or ""}
            return _wrong(asked, UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)
        return None

    def _say(self, said: Said) -> None:
        for message in (*said.notices, said.message):
            time.sleep(said.seconds)
            if message is not None:
                self._write(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        self.sink.write(line)
        self.sink.flush()

    def pollute(self) -> None:
        """Say hello where only messages belong."""
        self._write(b"Server is starting ...\n")

    def swallow(self) -> int:
        """Read everything and say nothing."""
        while self.source.readline():
            continue
        return 0


def _exit(_: Program) -> int:
    sys.stderr.write("FATAL: DATABASE_URL is not set\n")
    return EXIT_STATUS


def _flood(program: Program) -> int:
    """One line without end, until nobody reads it any more."""
    with suppress(OSError):
        while True:
            program.sink.write(b"x" * 65_536)
            program.sink.flush()
    # What is left in the buffer would fail once more when the interpreter ends.
    with suppress(OSError):
        program.sink.close()
    return 0


def _have_a_child(_: Program) -> None:
    code = f"import time; time.sleep({GRANDCHILD_S})"
    subprocess.Popen([sys.executable, "-c", code])  # noqa: S603 - this interpreter, a fixed text


def _go_deaf(_: Program) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _stay_deaf() -> int:
    while True:
        signal.pause()


_ACTS: Mapping[str, Callable[[Program], int | None]] = {
    "stdio/exited": _exit,
    "stdio/stdout_pollution": Program.pollute,
    "stdio/no_reply": Program.swallow,
    "stdio/too_much_output": _flood,
    "stdio/grandchild": _have_a_child,
    "stdio/deaf": _go_deaf,
}


def serve(fault: str = "", era: Era = Era.DUAL) -> int:
    """Be the program until stdin ends; its exit status. Raises `ValueError` for a fault that is not of stdio."""
    if fault and (fault not in FAULTS or FAULTS[fault].where is not Where.STDIO):
        known = ", ".join(code for code, found in FAULTS.items() if found.where is Where.STDIO)
        raise ValueError(f"{fault!r} is no fault of a program; there are {known}.")
    return Program(sys.stdin.buffer, sys.stdout.buffer, era, fault).run()


def _params(message: Mapping[str, Any]) -> Mapping[str, Any]:
    params = message.get("params")
    return params if isinstance(params, Mapping) else {}


def _version_of(message: Mapping[str, Any]) -> str | None:
    """The version that a request of the modern era names; None for every other."""
    meta = _params(message).get("_meta")
    return str(meta[VERSION_KEY]) if isinstance(meta, Mapping) and VERSION_KEY in meta else None


def _era_of(message: Mapping[str, Any]) -> Era:
    return Era.LEGACY if _version_of(message) is None else Era.MODERN


def _wrong(asked: object, number: int, words: str, **extra: object) -> Said:
    wrong = {"code": number, "message": words} | extra
    return Said({"jsonrpc": "2.0", "id": asked, "error": wrong})
