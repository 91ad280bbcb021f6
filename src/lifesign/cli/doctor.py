"""`lifesign doctor`: look at everything that Lifesign stands on, and say what to mend and how."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType

import typer

from lifesign.cli.checks import daemon, database, machine
from lifesign.cli.checks.finding import Finding, Level
from lifesign.cli.client import AsJSON, Data, Place, Url
from lifesign.cli.output import Colour, clean, emit, emit_json, paint

_CHECKS: tuple[Callable[[Place], Awaitable[Finding]], ...] = (
    machine.check_python,
    machine.check_loop,
    machine.check_files,
    machine.check_clock,
    machine.check_loopback,
    machine.check_names,
    database.check_directory,
    database.check_space,
    database.check_disk,
    database.check_database,
    daemon.check_daemon,
)
_DEADLINE_S = 10.0
_SHOWN: Mapping[Level, tuple[str, Colour]] = MappingProxyType(
    {Level.OK: ("●", "green"), Level.WARN: ("◆", "yellow"), Level.FAIL: ("■", "red")}
)


def doctor(url: Url = None, data: Data = None, as_json: AsJSON = False) -> None:
    """Check this installation, line by line; exit code 1 when something must be mended."""
    findings = asyncio.run(examine(Place.of(url, data)))
    if as_json:
        emit_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)


async def examine(place: Place) -> list[Finding]:
    """Every check in order; one that hangs is a failure of its own."""
    findings = []
    for check in _CHECKS:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                findings.append(await check(place))
        except TimeoutError:
            name = check.__name__.removeprefix("check_")
            text = f"no answer within {_DEADLINE_S:.0f} s"
            findings.append(Finding(name, Level.FAIL, text, "Look at what this part waits for."))
    return findings


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        shape, colour = _SHOWN[finding.level]
        word = paint(f"{shape} {finding.level.value:<4}", colour)
        emit(f"{word}  {finding.name:<10} {clean(finding.text)}")
        if finding.fix:
            emit(f"{'':<8}{'':<10} {clean(finding.fix)}")
