"""Forms of nested settings: YAML texts with places, parts that are ticked, what stands first."""

import pytest
from pydantic import ValidationError

from lifesign.probes.mcp.settings import MCPSettings
from lifesign.service.settings import shown_settings
from lifesign.web.fields import fields_of, laid_out
from lifesign.web.posted import read_fields, read_form
from web.documents import parse
from web.fake_kinds import HttpSettings, McpSettings
from web.fakes import FakeServices
from web.scene import monitor

URL = "https://a.example/mcp"
CANARIES = """\
- name: search
  tool: search_documents
  arguments: {query: bees, id: "1e3"}
  expect: ['json("$.total") > 0']
"""


def sent(fields) -> dict[str, str]:
    """What a browser sends of these fields when nobody touches them."""
    form: dict[str, str] = {}
    for field in fields:
        if field.control == "group":
            form |= sent(field.parts)
            form |= {f"{field.name}:on": "on", f"{field.name}:was": "1"} if field.checked else {}
        elif field.control == "check":
            form |= {f"{field.name}:box": "1"} | ({field.name: "on"} if field.checked else {})
        else:
            form[field.name] = field.value
    return form


FULL = {
    "url": URL,
    "canaries": [{"name": "search", "tool": "find", "arguments": {"q": "1e3", "n": None}, "expect": ["text == no"]}],
    "health": [{"name": "backend", "url": "https://a.example/health", "headers": {"X-Key": "s3cret"}}],
    "resource": {},
    "prompt": {"name": "greet", "arguments": {"name": "Ada"}},
    "stream": {"tool": "count", "arguments": {"steps": 3}},
    "oauth": {"client_id": "probe", "client_secret": "s3cret"},
}  # fmt: skip


def test_every_part_of_a_server_comes_back_from_its_form():
    settings = MCPSettings.model_validate(FULL)
    shown = shown_settings(settings)

    read = read_fields(MCPSettings, sent(fields_of(MCPSettings, shown)))

    assert shown_settings(MCPSettings.model_validate(read)) == shown


def test_a_text_shows_what_was_said_and_no_defaults():
    settings = MCPSettings.model_validate(FULL)
    (health,) = (
        each for each in fields_of(MCPSettings, shown_settings(settings)) if each.label == "Health URLs"
    )  # fmt: skip

    assert health.value == (
        "- name: backend\n  url: https://a.example/health\n  headers: {X-Key: '***'}\n"
    )


def test_an_empty_text_shows_an_example_that_can_be_used():
    fields = {each.name: each for each in fields_of(MCPSettings, {})}
    for name in ("settings.canaries", "settings.health"):
        form = {"settings.url": URL, name: fields[name].placeholder}

        assert MCPSettings.model_validate(read_fields(MCPSettings, form))


def test_a_part_of_a_text_that_is_refused_is_found_in_it():
    written = CANARIES.replace("json(", "jsen(")
    posted = read_form(MCPSettings, {"settings.url": URL, "settings.canaries": written})
    with pytest.raises(ValidationError):
        MCPSettings.model_validate(posted.settings)

    problems = [("settings.canaries[0].steps[0].expect[0]", "nothing called that is known")]

    assert posted.placed(problems) == (
        (problems[0][0], "Line 4, column 12: nothing called that is known"),
    )


def test_a_text_that_is_no_yaml_is_kept_and_says_where():
    posted = read_form(MCPSettings, {"settings.canaries": "- name: [a\n  b: c"})

    assert posted.settings["canaries"] == "- name: [a\n  b: c"
    ((name, reason),) = posted.problems
    assert (name, reason[:6]) == ("settings.canaries", "Line 2")


def test_a_ticked_part_is_there_with_nothing_filled_in():
    form = sent(fields_of(MCPSettings, {"url": URL}))

    assert "resource" not in read_fields(MCPSettings, form)
    assert MCPSettings.model_validate(
        read_fields(MCPSettings, form | {"settings.resource:on": "on"})
    ).resource


def test_a_part_whose_tick_was_taken_away_is_gone():
    form = sent(fields_of(MCPSettings, {"url": URL, "prompt": {"name": "greet"}}))
    form.pop("settings.prompt:on")

    assert "prompt" not in read_fields(MCPSettings, form)


def test_a_part_that_was_filled_in_counts_without_a_tick():
    form = sent(fields_of(MCPSettings, {"url": URL})) | {"settings.prompt.name": "greet"}

    assert read_fields(MCPSettings, form)["prompt"]["name"] == "greet"


def test_simple_settings_stand_first():
    layout = laid_out(fields_of(MCPSettings, {"session_calls": 5}))

    first = [field.name.removeprefix("settings.") for field in layout.first]
    assert first == ["url", "bearer_token", "headers", "session_calls"]
    assert [field.label for field in layout.folds][:2] == ["Canaries", "Health URLs"]
    assert not any(field.is_open for field in (*layout.folds, *layout.fine))


def test_lengths_of_time_are_shown_as_people_write_them():
    fields = {
        each.name: each for each in fields_of(MCPSettings, {"resource": {"every": "PT1M30S"}})
    }
    parts = {part.name: part.value for part in fields["settings.resource"].parts}

    assert parts["settings.resource.every"] == "1m30s"
    assert {each.value for each in fields["settings.prompt"].parts} >= {"5m"}


def test_a_short_form_folds_nothing_but_its_parts():
    layout = laid_out(fields_of(HttpSettings, {}))

    assert (len(layout.first), layout.fine) == (8, ())
    assert {field.name for field in layout.folds} == {"settings.auth", "settings.body"}


async def test_a_list_of_parts_is_written_as_yaml(client, services: FakeServices):
    text = "- name: search\n  expect: [text == x]\n  headers: {K: '***'}\n"
    form = {"kind": "mcp", "intent": "save", "settings.url": URL, "settings.canaries": text}

    await client.post("/add", data=form)

    assert services.monitors.calls[-1][1]["settings"]["canaries"] == [
        {"name": "search", "expect": ["text == x"], "headers": {"K": "***"}}
    ]


@pytest.mark.parametrize(
    "path", ["/add", "/add/trial", "/monitors/github/edit", "/monitors/github/trial"]
)
async def test_a_text_that_is_no_yaml_is_told_with_its_line(client, services: FakeServices, path):
    form = {"kind": "mcp", "intent": "save", "settings.url": URL, "settings.canaries": "- name: [a"}

    page = parse((await client.post(path, data=form)).text)

    assert "What is written in canaries cannot be read. Line 1, column" in page.text
    assert not [name for name, _ in services.monitors.calls if name in ("add", "update")]
    assert services.trials.drafts == []


async def test_changes_are_tried_with_the_secrets_that_are_stored(client, services: FakeServices):
    form = {"settings.url": URL, "settings.token": "***", "version": "3"}

    page = parse((await client.post("/monitors/github/trial", data=form)).text)

    assert "tried just now" in page.text
    assert services.trials.ids == ["id-github"]
    assert services.trials.drafts[-1]["settings"]["token"] == "***"


async def test_changes_are_tried_without_scripts_as_well(client, services: FakeServices):
    form = {"settings.url": URL, "version": "3", "intent": "try"}

    page = parse((await client.post("/monitors/github/edit", data=form)).text)

    assert "tried just now" in page.text
    assert not [name for name, _ in services.monitors.calls if name == "update"]


async def test_what_is_set_stands_open(client, services: FakeServices):
    services.monitors.rows.append(
        monitor(
            "full", kind="mcp", settings={"url": URL, "canaries": [{"name": "a", "every": "PT5M"}]}
        )
    )

    page = parse((await client.get("/monitors/full/edit")).text)

    folds = [each for each in page.all("details") if each.get("class") == "fold"]
    assert ["open" in each for each in folds] == [True, False]
    assert "- name: a\n" in page.texts
    assert McpSettings.model_fields["canaries"].examples is not None


async def test_the_policy_is_shown_in_words_and_lengths_of_time(client):
    page = parse((await client.get("/monitors/github/edit")).text)

    values = {each["name"]: each["value"] for each in page.all("input") if "value" in each}
    assert values["policy.drift_accept_s"] == "1d"
    assert values["policy.latency_factor"] == "3"
    assert "A changed surface is accepted after" in page.text
