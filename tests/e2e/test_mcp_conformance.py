"""The protocol's own conformance suite, against our client: every scenario that a client without a person can pass."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import outside
from e2e.processes import clean_environment

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.needs("node-22", "mcp-conformance"),
    # Apart from the other end-to-end tests: nothing is shared with them, so another worker can take these.
    pytest.mark.xdist_group("conformance"),
]

CLIENT = Path(__file__).with_name("conformance_client.py")
HANDSHAKE, STATELESS, EXTENSION = "2025-11-25", "2026-07-28", ""

# Scenario → how many checks of it have to succeed, so that a scenario which saw nothing does not pass.
PASSED = {
    HANDSHAKE: {
        "initialize": 1,
        "tools_call": 2,
        "sse-retry": 3,
        "json-schema-2020-12-preservation": 9,
        "auth/pre-registration": 5,
    },
    STATELESS: {
        "tools_call": 2,
        "request-metadata": 5,
        "http-standard-headers": 9,
        "http-custom-headers": 18,
        "http-invalid-tool-headers": 12,
        "json-schema-ref-no-deref": 1,
        "json-schema-2020-12-preservation": 9,
        "auth/pre-registration": 5,
        "auth/resource-mismatch": 2,
        "auth/metadata-issuer-mismatch": 3,
    },
    EXTENSION: {"auth/client-credentials-basic": 5},
}

# Scenarios whose way in we go with client credentials, where the suite expects a person in a browser: all of their
# checks have to hold but those of the login itself.
_LOGIN_CHECKS = {
    "client-registration",
    "authorization-request",
    "resource-parameter-in-authorization",
}
BUT_FOR_THE_LOGIN = (
    "auth/metadata-default",
    "auth/metadata-var1",
    "auth/metadata-var2",
    "auth/metadata-var3",
    "auth/token-endpoint-auth-basic",
    "auth/token-endpoint-auth-post",
)

_LOGIN = (
    "ends in an authorization code, for which a person signs in; a monitor is given its credential"
)
_SKILLS = "is about an extension that loads skills into a model; a monitor loads none"
LEFT_OUT = {
    "elicitation-sep1034-client-defaults": "needs elicitation: somebody who answers the server's questions",
    "sep-2322-client-request-state": "needs elicitation, in the form of the stateless era",
    "auth/client-credentials-jwt": "signs with a private key; we authenticate with a client secret",
    "auth/enterprise-managed-authorization": "exchanges the identity of a person who is signed in elsewhere",
    "auth/dpop": "binds tokens to a key; no monitor's credential is bound to one",
    "auth/dpop-nonce": "binds tokens to a key; no monitor's credential is bound to one",
    "auth/wif-jwt-bearer": "exchanges the identity that a cloud gives to its workloads",
    "auth/2025-03-26-oauth-metadata-backcompat": _LOGIN,
    "auth/2025-03-26-oauth-endpoint-fallback": _LOGIN,
    "auth/basic-cimd": _LOGIN,
    "auth/scope-from-www-authenticate": _LOGIN,
    "auth/scope-from-scopes-supported": _LOGIN,
    "auth/scope-omitted-when-undefined": _LOGIN,
    "auth/scope-step-up": _LOGIN,
    "auth/scope-retry-limit": _LOGIN,
    "auth/token-endpoint-auth-none": _LOGIN,
    "auth/offline-access-scope": _LOGIN,
    "auth/offline-access-not-supported": _LOGIN,
    "auth/authorization-server-migration": _LOGIN,
    "auth/iss-supported": _LOGIN,
    "auth/iss-not-advertised": _LOGIN,
    "auth/iss-supported-missing": _LOGIN,
    "auth/iss-wrong-issuer": _LOGIN,
    "auth/iss-unexpected": _LOGIN,
    "auth/iss-normalized": _LOGIN,
    "sep-2640-client-no-prefetch": _SKILLS,
    "sep-2640-client-verify-digest": _SKILLS,
    "sep-2640-client-verify-size": _SKILLS,
    "sep-2640-client-verify-frontmatter": _SKILLS,
}


def conformance(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    node, suite = outside.path_of("node-22"), outside.path_of("mcp-conformance")
    return subprocess.run(
        [node, suite, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(),
    )


def run_scenario(
    scenario: str, version: str, directory: Path, *, is_whole: bool = True
) -> tuple[list[Any], str]:
    """The checks of one scenario, and all that was said. The suite itself has to say whether the whole of it held."""
    when = ["--spec-version", version] if version else []
    told = conformance(
        "client",
        "--command", f"{sys.executable} {CLIENT}",
        "--scenario", scenario,
        "-o", directory,
        *when,
    )  # fmt: skip
    said = told.stdout + told.stderr
    assert (told.returncode == 0) == is_whole, said
    (checks,) = directory.glob("**/checks.json")
    return json.loads(checks.read_text("utf-8")), said


@pytest.mark.parametrize(
    ("version", "scenario", "successes"),
    [
        pytest.param(version, scenario, count, id=f"{scenario}-{version or 'extension'}")
        for version, scenarios in PASSED.items()
        for scenario, count in scenarios.items()
    ],
)
def test_our_client_passes(version: str, scenario: str, successes: int, tmp_path: Path) -> None:
    checks, said = run_scenario(scenario, version, tmp_path)

    counts = Counter(check["status"] for check in checks)
    assert counts["FAILURE"] == counts["WARNING"] == 0, said
    assert counts["SUCCESS"] >= successes, said


@pytest.mark.parametrize("version", [HANDSHAKE, STATELESS])
@pytest.mark.parametrize("scenario", BUT_FOR_THE_LOGIN)
def test_our_client_finds_the_way_in_but_for_the_login(
    scenario: str, version: str, tmp_path: Path
) -> None:
    checks, said = run_scenario(scenario, version, tmp_path, is_whole=False)

    by_status: dict[str, set[str]] = {}
    for check in checks:
        by_status.setdefault(check["status"], set()).add(check["id"])
    assert by_status["FAILURE"] <= _LOGIN_CHECKS, said
    assert "WARNING" not in by_status, said
    assert {"token-request", "valid-bearer-token", "resource-parameter-in-token"} <= by_status[
        "SUCCESS"
    ], said


def test_every_scenario_of_the_suite_is_run_or_left_out_for_a_reason() -> None:
    listed = conformance("list", "--client").stdout
    found = {
        match[1]: set(match[2].split(","))
        for match in re.finditer(r"^ *- (\S+) \[([^\]]*)\]", listed, re.MULTILINE)
    }
    whole = {scenario for scenarios in PASSED.values() for scenario in scenarios}
    run = whole | set(BUT_FOR_THE_LOGIN)

    assert len(found) > 40
    assert set(found) == run | set(LEFT_OUT)
    assert not run & set(LEFT_OUT)
    for version in (HANDSHAKE, STATELESS):
        applicable = {scenario for scenario in whole if version in found[scenario]}
        assert applicable == set(PASSED[version])
