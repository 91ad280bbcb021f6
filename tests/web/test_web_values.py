"""The pure parts: phrases, the filter language, the ladder, the day bars, forms from models."""

from datetime import timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from lifesign.core.model import Failure, Owner, State
from lifesign.probes.registry import load_kinds, settings_from
from lifesign.service.views import DayView
from lifesign.web import phrases
from lifesign.web.drawing import HEIGHT, day_bars
from lifesign.web.fields import fields_of
from lifesign.web.ladder import rungs
from lifesign.web.monitor import sentence
from lifesign.web.posted import read_fields
from lifesign.web.render import ticks
from lifesign.web.search import read_search
from web.fake_kinds import NOW, HttpSettings
from web.scene import monitor

ORDER = ("dns", "tcp", "tls", "http")


@pytest.mark.parametrize(
    ("fraction", "said"),
    [(None, "–"), (1.0, "100 %"), (0.99999999, "99.999 %"), (0.9999, "99.99 %"), (0.9971, "99.71 %"), (0.5, "50 %"), (0.0, "0 %")],
)  # fmt: skip
def test_percentages_are_cut_and_never_rounded_up(fraction, said):
    assert said == phrases.percent(fraction)


@pytest.mark.parametrize(
    ("name", "slug", "is_told"),
    [("Shop", "shop", False), ("Shop", "shop-2", True), ("Shop 2", "shop-2", False)],
)
def test_slug_tells_the_later_one_of_a_name_apart(name, slug, is_told):
    assert phrases.is_namesake(monitor(slug, name=name)) is is_told


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_only_all_of_it_is_a_hundred_percent(fraction):
    assert phrases.percent(fraction) != "100 %"


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0.4, "0.4 ms"), (84.2, "84 ms"), (1240.0, "1.24 s"), (61_000.0, "61.0 s")],
)
def test_milliseconds_read_as_people_say_them(value, said):
    assert said == phrases.milliseconds(value)


def test_the_past_and_the_future_are_told_apart():
    assert phrases.ago(NOW - timedelta(minutes=6, seconds=20), now=NOW) == "6 min ago"
    assert phrases.ago(NOW + timedelta(seconds=40), now=NOW) == "in 40 s"
    assert phrases.ago(NOW - timedelta(hours=2, minutes=5), now=NOW) == "2 h 5 min ago"


@given(st.text(max_size=300))
def test_the_filter_takes_anything(text):
    search = read_search(text)

    assert search.query.limit == 50


def test_the_filter_reads_quotes_and_owners():
    query = read_search('group:"Third party" owner:file owner:nobody x').query

    assert (query.group, query.owner, query.text) == ("Third party", Owner.FILE, "x")


def marks(phases, failure):
    return [(rung.label, rung.mark) for rung in rungs(ORDER, phases, failure=failure)]


def test_the_first_broken_layer_fails_and_the_rest_was_not_run():
    found = marks({"dns": 1.0}, Failure("tcp", "refused", "…"))

    assert found == [("DNS", "ok"), ("TCP", "fail"), ("TLS", "skip"), ("HTTP", "skip")]


def test_a_layer_that_was_not_needed_is_left_out():
    found = marks({"dns": 1.0, "tcp": 1.0, "http": 1.0}, None)

    assert found == [("DNS", "ok"), ("TCP", "ok"), ("HTTP", "ok")]


def test_a_failed_condition_is_a_rung_of_its_own():
    phases = dict.fromkeys(ORDER, 1.0)

    assert marks(phases, Failure("condition", "x", "…"))[-1] == ("condition", "fail")


def test_a_layer_that_the_kind_does_not_name_breaks_where_the_times_end():
    found = marks({"dns": 1.0, "tcp": 1.0}, Failure("session", "lost", "…"))

    assert found[2] == ("TLS", "fail")


def test_an_alert_knows_its_broken_layer_without_times():
    found = marks({}, Failure("tls", "expired", "…"))

    assert found == [("DNS", "ok"), ("TCP", "ok"), ("TLS", "fail"), ("HTTP", "skip")]


def day(**seconds):
    nothing = dict.fromkeys(
        ("up_s", "degraded_s", "down_s", "maintenance_s", "paused_s", "unknown_s"), 0.0
    )
    return DayView(day="2026-11-20", **(nothing | seconds))


def test_a_day_says_its_exact_minutes():
    (bar,) = day_bars([day(up_s=86_100.0, down_s=300.0)])

    assert bar.label == "20 November 2026: 99.65 % up, 5 min down"


def test_an_unwatched_day_is_a_gap():
    (bar,) = day_bars([day()])

    assert [piece.look for piece in bar.pieces] == ["none"]
    assert bar.label.endswith("not watched")


lengths = st.floats(min_value=0, max_value=86_400)


@given(lengths, lengths, lengths, lengths)
def test_a_bar_is_always_whole(up, degraded, down, unknown):
    (bar,) = day_bars([day(up_s=up, degraded_s=degraded, down_s=down, unknown_s=unknown)])

    assert pytest.approx(sum(piece.height for piece in bar.pieces), abs=0.1) == HEIGHT
    assert all(piece.height >= 0 for piece in bar.pieces)


def test_every_field_of_a_model_is_described():
    fields = fields_of(HttpSettings, {"url": "https://a.test"})

    controls = {field.name.removeprefix("settings."): field.control for field in fields}
    assert controls == {
        "url": "text", "method": "choice", "headers": "pairs", "expect": "lines",
        "redirects": "number", "verify_tls": "check", "token": "secret", "slow": "duration",
        "auth": "group", "body": "yaml",
    }  # fmt: skip
    assert all(field.help for field in fields)


def test_what_a_form_shows_is_what_it_reads_back():
    settings = {
        "url": "https://a.test", "method": "HEAD", "headers": {"a": "b: c"}, "expect": ["200"],
        "redirects": 2, "verify_tls": True, "token": "***", "slow": 90.0,
        "auth": {"username": "ada", "password": "***"}, "body": {"k": [1, None]},
    }  # fmt: skip
    form: dict[str, str] = {}
    for field in fields_of(HttpSettings, settings):
        for part in field.parts or (field,):
            form[part.name] = "on" if part.checked else part.value

    assert settings == read_fields(HttpSettings, form)


class Part(BaseModel):
    """A part that may be left out."""

    name: str = Field(description="Who.")
    every: timedelta = Field(default=timedelta(minutes=2), description="How often.")
    kind: Literal["small", "large"] = Field(default="small", description="How big.")


class Whole(BaseModel):
    """A model with such a part."""

    part: Part | None = Field(default=None, description="May be left out.")


def test_a_part_that_was_left_as_it_was_shown_is_absent():
    """A form sends its choices and what it was filled with, also where nobody meant them."""
    [group] = fields_of(Whole, {})
    form = {part.name: part.value for part in group.parts}

    assert read_fields(Whole, form) == {}
    assert read_fields(Whole, form | {"settings.part.kind": "large"})["part"]
    named = read_fields(Whole, form | {"settings.part.name": "a"})
    assert Whole.model_validate(named).part == Part(name="a")


ACTIVE = [kind for kind in load_kinds().values() if not kind.passive]


@pytest.mark.parametrize("kind", ACTIVE, ids=lambda kind: kind.name)
def test_a_form_that_was_only_sent_turns_nothing_on(kind):
    pasted = "https://a.example/mcp" if kind.name in {"http", "mcp"} else "a.example:443"
    given = settings_from(kind, pasted)
    form = dict(_posted(fields_of(kind.settings, given)))

    try:
        plain = kind.settings.model_validate(given)
    except ValidationError:
        pytest.skip("this kind needs more than an address")
    assert kind.settings.model_validate(read_fields(kind.settings, form)) == plain


def _posted(fields):
    for field in fields:
        if field.control == "group":
            yield from _posted(field.parts)
        elif field.control == "check":
            yield from [(field.name, "on")] * field.checked
            yield f"{field.name}:box", "1"
        else:
            yield field.name, field.value


def test_nonsense_is_left_for_the_model_to_refuse():
    form = {"settings.redirects": "many", "settings.slow": "soon", "settings.body": "{"}

    assert read_fields(HttpSettings, form) == {"redirects": "many", "slow": "soon", "body": "{"}


def test_a_state_always_has_a_word():
    assert set(State) == set(phrases.STATE_WORD)


def test_a_refused_sign_in_breaks_at_the_layer_that_said_so():
    found = marks({}, Failure("auth", "required", "…"))

    assert found == [("DNS", "ok"), ("TCP", "ok"), ("HTTP", "fail")]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("see `a<b` and `c`", "see <code>a&lt;b</code> and <code>c</code>"),
        ("one ` alone <i>", "one ` alone &lt;i&gt;"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_backticks_become_code_and_nothing_else_becomes_markup(text, html):
    assert html == str(ticks(text))


class LongTexts(BaseModel):
    """Texts of more than one line."""

    ca_pem: str = Field(default="", description="A certificate.")
    body: str = Field(default="", max_length=100_000, description="A body.")
    host: str = Field(default="", max_length=253, description="A name.")


def test_texts_of_many_lines_keep_their_lines():
    controls = [field.control for field in fields_of(LongTexts, {})]
    read = read_fields(LongTexts, {"settings.ca_pem": "a\r\nb"})

    assert controls == ["area", "area", "text"]
    assert read == {"ca_pem": "a\nb"}


def test_a_note_stands_beside_the_time_where_it_is_short():
    facts = {"tls.version": "TLSv1.3", "tls.days_left": 61.2, "ip": "192.0.2.1"}
    found = rungs(ORDER, dict.fromkeys(ORDER, 2.0), failure=None, facts=facts)

    assert [rung.detail for rung in found][1:3] == ["2.0 ms", "2.0 ms · TLSv1.3 · 61 days left"]


def test_a_layer_without_a_rung_breaks_on_the_one_that_stands_in_for_it():
    found = marks({}, Failure("auth", "auth_required", "…"))

    assert found == [("DNS", "ok"), ("TCP", "ok"), ("HTTP", "fail")]


def test_what_cannot_be_seen_is_not_called_wrong():
    expired = Failure("credential", "expired", "The credential of this monitor ran out.")
    blind = monitor("blind", State.UNKNOWN, failure=expired)

    assert "cannot be seen now, through no fault of its own: credential." in sentence(blind)
    assert phrases.note(blind) == "credential: The credential of this monitor ran out."
    assert phrases.state_for(blind, now=NOW) == "Unknown for 12 d"


def test_a_first_failure_of_what_was_never_seen_is_told_as_wrong():
    refused = Failure("tcp", "refused", "Nothing listens there.")

    words = sentence(monitor("new", State.UNKNOWN, failure=refused, suspect=True))

    assert words == "The first thing that is wrong: TCP."
