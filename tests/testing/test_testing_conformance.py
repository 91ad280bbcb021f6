"""The protocol's own conformance suite, against the shipped server."""

import asyncio
import json
from pathlib import Path

import pytest

import outside
from e2e.processes import clean_environment
from lifesign.testing import Era, FaultyMCP
from servers.conformance_offer import FIXTURES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.needs("node-22", "mcp-conformance"),
    pytest.mark.xdist_group("conformance"),
]

SHARED = {
    "completion-complete",
    "dns-rebinding-protection",
    "prompts-get-embedded-resource",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-with-image",
    "prompts-list",
    "resources-list",
    "resources-read-binary",
    "resources-read-text",
    "resources-templates-read",
    "server-sse-multiple-streams",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-error",
    "tools-call-image",
    "tools-call-mixed-content",
    "tools-call-simple-text",
    "tools-call-with-progress",
    "tools-list",
}

PASSED = {
    "2025-11-25": SHARED | {"ping", "server-initialize", "server-session-lifecycle"},
    "2026-07-28": SHARED
    | {
        "caching",
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "sep-2164-resource-not-found",
        "server-stateless",
    },
}
"""What has to hold. The others need elicitation, sampling, logging, subscriptions or tasks, which it does not have."""

UNTESTABLE = "Not testable"
"""How the suite calls a check for which the server would have to offer one of those."""


@pytest.mark.parametrize("version", PASSED)
async def test_the_server_passes(version: str, tmp_path: Path) -> None:
    async with FaultyMCP(offer=FIXTURES, era=Era.DUAL) as server:
        running = await asyncio.create_subprocess_exec(
            outside.path_of("node-22"), outside.path_of("mcp-conformance"), "server",
            "--url", server.url, "--requirements", version, "-o", str(tmp_path),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env=clean_environment(),
        )  # fmt: skip
        async with asyncio.timeout(100):
            await running.wait()

    failures = {scenario: _failures(tmp_path, scenario) for scenario in PASSED[version]}
    assert {scenario: found for scenario, found in failures.items() if found} == {}


def _failures(directory: Path, scenario: str) -> list[str]:
    """What did not hold of a scenario; a scenario that was not run fails too."""
    found = list(directory.glob(f"server-{scenario}-2*/checks.json"))
    checks = [check for path in found for check in json.loads(path.read_text("utf-8"))]
    if not any(check["status"] == "SUCCESS" for check in checks):
        return ["nothing held"]
    return [
        f"{check['id']}: {check.get('errorMessage')}"
        for check in checks
        if check["status"] == "FAILURE" and UNTESTABLE not in str(check.get("errorMessage"))
    ]
