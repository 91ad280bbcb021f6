"""What is wrong is said with file, line, column, reason and what was probably meant."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from lifesign.config import ConfigError, load_config

Written = Callable[[str], Path]


def refusal(path: Path | None, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    text = str(caught.value)
    return text.replace(f"{path.parent}/", "") if path else text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "lisen: 127.0.0.1:80\n",
            "lifesign.yaml:1:1: lisen: There is no such setting. Did you mean 'listen'?",
        ),
        (
            "limits:\n  per_hots: 3\n",
            "lifesign.yaml:2:3: limits.per_hots: There is no such setting. Did you mean 'per_host'?",
        ),
        (
            "monitors:\n  - name: a\n    target: x\n    intervall: 5m\n",
            ("lifesign.yaml:4:5: monitors[0].intervall: There is no such setting. "
            "Did you mean 'interval'?"),
        ),
        (
            "monitors:\n  - name: a\n    target: x\n    interval: 5\n",
            ("lifesign.yaml:4:5: monitors[0].interval: '5' has no unit: "
            "write 5s for seconds or 5m for minutes. Found 5."),
        ),
        (
            "monitors:\n  - name: a\n    target: x\n    severity: critcal\n",
            ("lifesign.yaml:4:5: monitors[0].severity: Write 'notice', 'low', 'medium', "
            "'high' or 'critical'. Found 'critcal'. Did you mean 'critical'?"),
        ),
        (
            "monitors:\n  - name: 42\n    target: x\n",
            ("lifesign.yaml:2:5: monitors[0].name: Write a text; "
            "put a number or a date in quotes. Found 42."),
        ),
        (
            "monitors:\n  - name: a\n    target: x\n    paused: maybe\n",
            "lifesign.yaml:4:5: monitors[0].paused: Write true or false. Found 'maybe'.",
        ),
        (
            "monitors:\n  - target: x\n",
            "lifesign.yaml:2:5: monitors[0].name: This setting is missing.",
        ),
        (
            "monitors:\n  - name: a\n",
            "lifesign.yaml:2:5: monitors[0]: A monitor needs a `kind` with `settings`, or a `target`.",
        ),
        (
            "monitors:\n  name: a\n",
            "lifesign.yaml:1:1: monitors: Write a list, one item a line, each after a dash.",
        ),
        ("limits: 5\n", "lifesign.yaml:1:1: limits: Write a mapping of names to values. Found 5."),
        ("listen: 8080\n", ("lifesign.yaml:1:1: listen: Write an address and a port, such as "
         "127.0.0.1:8080 or [::1]:8080. Found 8080.")),
        (
            "data: a\nlisten: 127.0.0.1:1\ndata: b\n",
            "lifesign.yaml:3:1: data: This setting was already given on line 1. Remove one of the two.",
        ),
        (
            "limits:\n\tper_host: 3\n",
            "lifesign.yaml:2:1: There is a tab. YAML is indented with spaces: replace the tab.",
        ),
        (
            "data: a: b\n",
            ("lifesign.yaml:1:8: There is a second `: ` on this line. "
            "Put a text that holds `: ` in quotes."),
        ),
        ("- a\n- b\n", "lifesign.yaml:1:1: Write settings as `name: value`, one a line."),
        (
            "data: ${env:NOT_THERE}\n",
            ("lifesign.yaml:1:1: data: The environment variable NOT_THERE is not set. "
            "Set it, or write the value here."),
        ),
        (
            "data: ${file:/nowhere/at/all}\n",
            ("lifesign.yaml:1:1: data: The file /nowhere/at/all cannot be read: "
            "No such file or directory."),
        ),
        (
            "egress:\n  allow:\n    - 10.0.0.0/8\n    - 10.0.0.1/8\n",
            "lifesign.yaml:4:7: egress.allow[1]: Write a network, such as 10.0.0.0/8, with no bits set beyond its length. Found '10.0.0.1/8'.",
        ),
        (
            "egress:\n  nameservers: [dns.example]\n",
            ("lifesign.yaml:2:17: egress.nameservers[0]: Write an address, such as 192.0.2.53, "
            "192.0.2.53:5353 or [2001:db8::1]:53. Found 'dns.example'."),
        ),
        (
            "monitors: &a\n  - name: x\n    target: y\n    settings: {again: *a}\n",
            ("lifesign.yaml:4:16: monitors[0].settings.again: "
            "The anchors refer to one another without end."),
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_says_where_and_why(written: Written, text: str, expected: str) -> None:
    assert expected == refusal(written(text))


def test_a_control_character_is_named(written: Written) -> None:
    expected = "lifesign.yaml:2:1: The character U+0007 is not allowed in YAML."

    assert refusal(written("data: a\nlisten: \x07\n")) == expected


def test_every_problem_is_told_at_once(written: Written) -> None:
    lines = refusal(written("lisen: a\nlimits:\n  per_host: none\n")).splitlines()

    assert [line.split(": ")[0] for line in lines] == ["lifesign.yaml:1:1", "lifesign.yaml:3:3"]


def test_names_are_unique_within_the_file(written: Written) -> None:
    text = "monitors:\n  - {name: a, target: x}\n  - {name: a, target: y}\n"

    answer = refusal(written(text))

    assert answer.startswith(
        "lifesign.yaml:3:6: monitors[1].name: The name 'a' is already used at "
    )
    assert answer.endswith("lifesign.yaml:2:6. Names are unique.")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "none.yaml")
        == "none.yaml: The file cannot be read: No such file or directory."
    )


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "lifesign.yaml"
    path.write_bytes(b"data: \xff\xfe\n")

    assert refusal(path) == "lifesign.yaml: The file is not UTF-8 (byte 6)."


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"LIFESIGN_LISTN": "x"},
            "LIFESIGN_LISTN: There is no such setting. Did you mean 'LIFESIGN_LISTEN'?",
        ),
        (
            {"LIFESIGN_LISTEN": "x"},
            (
                "LIFESIGN_LISTEN: listen: Write an address and a port, such as 127.0.0.1:8080 or "
                "[::1]:8080. Found 'x'."
            ),
        ),
        (
            {"LIFESIGN_SMTP_PORT": "mail"},
            "LIFESIGN_SMTP_PORT: smtp.port: Write a whole number. Found 'mail'.",
        ),
        (
            {"LIFESIGN_RETENTION_RAW": "7"},
            (
                "LIFESIGN_RETENTION_RAW: retention.raw: '7' has no unit: "
                "write 7s for seconds or 7m for minutes. Found '7'."
            ),
        ),
        (
            {"LIFESIGN_SECRET_KEY_FILE": "/nowhere/key"},
            "LIFESIGN_SECRET_KEY_FILE: The file /nowhere/key cannot be read: No such file or directory.",
        ),
        (
            {"LIFESIGN_SECRET_KEY_FILE": "/dev/null", "LIFESIGN_SECRET_KEY": "k" * 32},
            (
                "LIFESIGN_SECRET_KEY_FILE: LIFESIGN_SECRET_KEY and LIFESIGN_SECRET_KEY_FILE are both set. "
                "Unset one of the two."
            ),
        ),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], expected: str) -> None:
    assert expected == refusal(None, environ)


def test_a_wrong_flag_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--listen: listen: "):
        load_config(None, {}, flags={"listen": "x"})


def test_a_wrong_secret_is_never_shown(written: Written) -> None:
    environ = {"KEY": "canary-env"}

    for text in (
        "secret_key: canary-short\n",
        "database_url: mysql://u:canary@h/d\n",
        "smtp: {port: canary@x}\n",
        "log_level: ${env:KEY}\n",
    ):
        assert "canary" not in refusal(written(text), environ)


class Hook(BaseModel):
    """The settings of a kind, as a floor above would have them."""

    model_config = ConfigDict(extra="forbid")

    url: str
    secret: SecretStr = Field(min_length=8)
    method: Literal["GET", "POST"] = "POST"


def test_the_settings_of_a_kind_are_placed_by_the_same_means(written: Written) -> None:
    loaded = load_config(
        written("""
            channels:
              - name: a
                kind: hook
                settings:
                  ulr: x
                  secret: canary
                  method: PUT
        """),
        {},
    )
    with pytest.raises(ValidationError) as caught:
        Hook.model_validate(loaded.config.channels[0].settings)

    problems = loaded.problems_in(caught.value, Hook, at=("channels", 0, "settings"))

    assert [str(problem).partition("lifesign.yaml:")[2] for problem in problems] == [
        "4:5: channels[0].settings.url: This setting is missing.",
        "5:7: channels[0].settings.ulr: There is no such setting. Did you mean 'url'?",
        "6:7: channels[0].settings.secret: Write at least 8 characters.",
        "7:7: channels[0].settings.method: Write 'GET' or 'POST'. Found 'PUT'.",
    ]


def test_text_where_secret_headers_belong_is_not_shown(written: Written) -> None:
    class Settings(BaseModel):
        headers: dict[str, SecretStr] = Field(default_factory=dict)

    path = written("monitors:\n  - name: a\n    kind: x\n    settings: {headers: 'Key: hunter2'}\n")
    loaded = load_config(path, {})
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(loaded.config.monitors[0].settings)
    (problem,) = loaded.problems_in(caught.value, Settings, at=("monitors", 0, "settings"))

    assert "Write a mapping" in str(problem)
    assert "hunter2" not in str(problem)


def test_short_key_is_told_in_characters(written: Written) -> None:
    assert refusal(written("secret_key: short\n")) == (
        "lifesign.yaml:1:1: secret_key: Write at least 32 characters."
    )


def test_nesting_without_end_is_told(written: Written) -> None:
    text = refusal(written("monitors: " + "[" * 3000))
    assert text == "lifesign.yaml: Lists or mappings are nested too deeply."
