"""The page on sign-in says what is so."""

import re
from pathlib import Path

import yaml

from lifesign.core.condition import compile_condition
from lifesign.probes.mcp import MCPFacts, MCPSettings
from lifesign.probes.mcp.checks.auth import Standing
from lifesign.probes.mcp.codes import CODES
from servers.mcp_visit import names_of

PAGE = (Path(__file__).parents[3] / "docs" / "mcp-auth.md").read_text()


def test_every_code_of_sign_in_is_on_the_page():
    known = {f"{layer}/{code}" for layer, code in CODES if layer in {"auth", "credential"}}
    named = set(re.findall(r"`((?:auth|credential)/\w+)`", PAGE))

    assert named == known


def test_every_setting_and_fact_on_the_page_exists():
    settings = set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)) - {each.value for each in Standing}  # fmt: skip
    facts = set(re.findall(r"`((?:auth|credential)\.\w+)`", PAGE))

    assert settings == {"bearer_token", "headers", "oauth", "client_certificate", "credential_expires_at", "check_refusal"}  # fmt: skip
    assert settings <= set(MCPSettings.model_fields)
    assert facts == {name for name in names_of(MCPFacts) if name.startswith(("auth.", "credential."))}  # fmt: skip


def test_the_example_is_taken():
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = MCPSettings.model_validate(yaml.safe_load(block)["settings"])

    assert settings.oauth is not None
    assert settings.oauth.scope == "mcp:read"


def test_the_conditions_are_taken():
    texts = re.findall(r"`((?:warn: )?auth\.\w+ [^`]+)`", PAGE)

    assert {compile_condition(text).subject for text in texts} == {"auth.state", "auth.scopes", "auth.s256"}  # fmt: skip


def test_every_state_is_on_the_page():
    assert {each.value for each in Standing} <= set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE))  # fmt: skip
