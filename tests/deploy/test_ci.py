"""The schema gate in CI: its script, and each wrapper's own steps, run by a plain shell against a real server."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifesign.cli.main import execute
from lifesign.testing import Era, FaultyMCP
from servers.background import in_background

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy/ci"
SCRIPT = CI / "manifest-check.sh"

TOOLS: list[dict[str, Any]] = [
    {"name": "add", "description": "Adds.", "inputSchema": {"type": "object"}},
    {"name": "sub", "description": "Subtracts.", "inputSchema": {"type": "object"}},
]


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str


def run(
    steps: str | list[str], cwd: Path, given: Mapping[str, str], *, path: str | None = None
) -> Told:
    """Run shell steps, or a command, as a CI system does: with nothing in the environment but what it is given."""
    command = ["sh", "-e", "-c", steps] if isinstance(steps, str) else steps
    if path is None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(cwd), **given}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=50)  # noqa: PLW1510
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def server() -> Iterator[FaultyMCP]:
    with in_background(lambda: FaultyMCP(tools=TOOLS, era=Era.DUAL)) as running:
        yield running


@pytest.fixture
def repository(tmp_path: Path, server: FaultyMCP) -> Path:
    """A repository that keeps the manifest of the server."""
    file = tmp_path / "lifesign-manifest.json"
    assert execute(["manifest", "snapshot", server.url, "-o", str(file)]) == 0
    return tmp_path


def described(**members: Any) -> list[dict[str, Any]]:
    tools = deepcopy(TOOLS)
    tools[0].update(members)
    return tools


def test_the_script_passes_drifts_and_allows(server, repository):
    settings = {"SERVER_URL": server.url, "SUMMARY": "summary.md"}

    same = run([str(SCRIPT)], repository, settings)
    server.redeploy(tools=described(description="Adds two numbers."))
    drifted = run([str(SCRIPT)], repository, settings)
    allowed = run([str(SCRIPT), "ALLOW=info,text"], repository, settings)

    assert (same.code, drifted.code, allowed.code) == (0, 2, 0)
    assert "● same" in same.out
    assert "The description of tool add changed." in drifted.out
    heads = re.findall(r"^### .*$", (repository / "summary.md").read_text("utf-8"), re.MULTILINE)
    assert heads == [
        "### MCP surface unchanged",
        "### MCP surface changed",
        "### MCP surface changed as allowed",
    ]


def test_the_script_starts_a_server_over_stdio(tmp_path):
    command = f"'{sys.executable}' -m lifesign.testing stdio"
    written = run(f"lifesign manifest snapshot -o m.json -- {command}", tmp_path, {})

    told = run([str(SCRIPT)], tmp_path, {"SERVER_COMMAND": command, "MANIFEST": "m.json"})

    assert (written.code, told.code) == (0, 0), told.out


def test_the_script_passes_headers_and_token_on(server, repository):
    server.requests.clear()

    told = run(
        [str(SCRIPT)],
        repository,
        {"SERVER_URL": server.url, "TOKEN_ENV": "MINE", "MINE": "t0ps3cret", "HEADERS": "X-One: 1 2\nX-Two: $(id)\n"},
    )  # fmt: skip

    headers = {name.lower(): value for name, value in dict(server.requests[0].headers).items()}
    assert told.code == 0, told.out
    assert (headers["x-one"], headers["x-two"]) == ("1 2", "$(id)")
    assert headers["authorization"] == "Bearer t0ps3cret"
    assert "t0ps3cret" not in told.out + told.err


@pytest.mark.parametrize(
    ("given", "args", "code", "said"),
    [
        ({}, [], 64, "Give SERVER_URL"),
        ({"SERVER_URL": "u", "SERVER_COMMAND": "c"}, [], 64, "not both"),
        ({"SERVER_URL": "u", "WAIT_S": "soon"}, [], 64, "WAIT_S is a number"),
        ({"SERVER_URL": "u"}, ["--allow"], 64, "is no setting"),
        ({"SERVER_URL": "u", "MANIFEST": "none.json"}, [], 1, "lifesign manifest snapshot URL"),
        ({"SERVER_URL": "u", "LIFESIGN": "no-such-command"}, [], 64, "cannot be run"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_asked(repository, given, args, code, said):
    told = run([str(SCRIPT), *args], repository, given)

    assert (told.code, told.out) == (code, "")
    assert said in told.err


def stub(directory: Path, name: str, body: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_script_waits_for_a_server_that_still_starts(repository):
    """The stub cannot read the server the first time, as while one is starting."""
    body = "if [ -f ready ]; then echo fine; else touch ready; echo starting; exit 1; fi"
    lifesign = stub(repository / "bin", "lifesign", body)
    settings = {"SERVER_URL": "http://127.0.0.1:1/mcp", "LIFESIGN": str(lifesign)}

    waited = run([str(SCRIPT), "WAIT_S=5"], repository, settings)
    (repository / "ready").unlink()
    hurried = run([str(SCRIPT)], repository, settings)

    assert (waited.code, waited.out) == (0, "fine\n")
    assert (hurried.code, hurried.out) == (1, "starting\n")


def test_the_script_installs_lifesign_where_there_is_none(repository):
    """Python is a stub that makes an environment of stubs: what matters is what is installed, from where, and once."""
    tools = repository / "bin"
    python = (
        'mkdir -p "$3/bin"; echo made >> made; cp pip "$3/bin/python"; cp ours "$3/bin/lifesign"'
    )
    stub(tools, "python3", python)
    stub(repository, "pip", 'echo "$@" >> installed')
    stub(repository, "ours", 'echo "checked $3"')
    settings = {"SERVER_URL": "http://127.0.0.1:1/mcp"}
    path = f"{tools}:/usr/bin:/bin"

    told = [run([str(SCRIPT)], repository, settings, path=path) for _ in range(2)]

    assert [each.code for each in told] == [0, 0], told
    assert told[0].out == "checked lifesign-manifest.json\n"
    assert (repository / "made").read_text() == "made\n"
    installed = (repository / "installed").read_text().split()
    assert installed[-1] == str(ROOT)
    assert installed[:3] == ["-m", "pip", "install"]


def evaluated(template: str, inputs: Mapping[str, str]) -> str:
    """A value of the action's `env` with GitHub's expressions filled in; only the two forms that it uses."""

    def fill(found: re.Match[str]) -> str:
        name, then, otherwise = found[1], found[2], found[3]
        return inputs[name] if then is None else (then if inputs[name] else otherwise)

    return re.sub(r"\$\{\{ inputs\.(\w+)(?: && '([^']*)' \|\| '([^']*)')? \}\}", fill, template)


def run_action(repository: Path, **given: str) -> Told:
    action = yaml.safe_load((CI / "action.yml").read_text("utf-8"))
    inputs = {name: each["default"] for name, each in action["inputs"].items()} | given
    assert set(inputs) == set(action["inputs"])
    (step,) = action["runs"]["steps"]
    environ = {name: evaluated(each, inputs) for name, each in step["env"].items()}
    assert not any("${{" in each for each in environ.values())
    outside = {"GITHUB_ACTION_PATH": str(CI), "GITHUB_STEP_SUMMARY": str(repository / "step.md")}
    return run(step["run"], repository, environ | outside)


def test_the_github_action_gates(server, repository):
    same = run_action(repository, url=server.url)
    server.redeploy(tools=TOOLS[1:])
    drifted = run_action(repository, url=server.url)

    assert (same.code, drifted.code) == (0, 2)
    summary = (repository / "step.md").read_text("utf-8")
    assert summary.startswith("### MCP surface unchanged")
    assert "Tool ‘add’ was removed" in summary


def test_the_github_action_sends_its_token_and_only_then(server, repository):
    server.requests.clear()
    run_action(repository, url=server.url, token="t0ps3cret")
    first = dict(server.requests[0].headers)
    server.requests.clear()
    run_action(repository, url=server.url)

    assert "Bearer t0ps3cret" in first.values()
    assert not any("Bearer" in value for value in dict(server.requests[0].headers).values())


def test_the_inputs_of_the_action_are_all_used_and_safe():
    """An expression within `run` would let a value become a command."""
    action = yaml.safe_load((CI / "action.yml").read_text("utf-8"))
    (step,) = action["runs"]["steps"]

    used = set(re.findall(r"inputs\.(\w+)", str(step["env"])))
    assert used == set(action["inputs"])
    assert "${{" not in step["run"]
    assert action["runs"]["using"] == "composite"


def run_job(repository: Path, **given: str) -> Told:
    job = yaml.safe_load((CI / "gitlab.yml").read_text("utf-8"))[".lifesign-manifest"]
    variables = {"CI_PROJECT_DIR": str(repository), **job["variables"], **given}
    checkout = variables["LIFESIGN_CHECKOUT"].replace("$CI_PROJECT_DIR", str(repository))
    steps = "\n".join(job["script"])
    return run(steps, repository, variables | {"LIFESIGN_CHECKOUT": checkout})


def test_the_gitlab_job_gates(server, repository):
    given = {"SERVER_URL": server.url, "LIFESIGN_CHECKOUT": str(ROOT)}
    same = run_job(repository, **given)
    server.redeploy(tools=TOOLS[1:])
    drifted = run_job(repository, **given)

    assert (same.code, drifted.code) == (0, 2), same
    assert "Tool ‘add’ was removed" in (repository / "lifesign-manifest.md").read_text("utf-8")


def test_the_gitlab_job_fetches_the_script_from_a_repository(server, repository, tmp_path_factory):
    upstream = tmp_path_factory.mktemp("upstream")
    shutil.copytree(CI, upstream / "deploy/ci")
    git = "git -c user.name=t -c user.email=t@example.org"
    made = run(f"git init -q -b stable . && git add . && {git} commit -q -m t", upstream, {})

    told = run_job(
        repository, SERVER_URL=server.url, LIFESIGN_REPOSITORY=f"file://{upstream}", LIFESIGN_REF="stable",
    )  # fmt: skip

    assert (made.code, told.code) == (0, 0), told
    assert (repository / ".lifesign/deploy/ci/manifest-check.sh").is_file()


def test_the_pre_commit_hook_gates(server, repository):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    entry = [str(ROOT / hook["entry"]), f"SERVER_URL={server.url}"]
    same = run(entry, repository, {})
    server.redeploy(tools=TOOLS[1:])
    drifted = run(entry, repository, {})

    assert (same.code, drifted.code) == (0, 2), same
    assert (hook["language"], hook["pass_filenames"]) == ("script", False)
    assert os.access(ROOT / hook["entry"], os.X_OK)
