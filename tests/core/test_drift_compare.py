"""Every kind of change is found, named and put in the right class."""

import random
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.drift.compare import MAX_CHANGES, compare, worst
from lifesign.core.drift.hashes import surface_of
from lifesign.core.drift.values import Change, Impact

BREAKING, HINT, TEXT = Impact.BREAKING, Impact.HINT, Impact.TEXT
ADDITIVE, INFO = Impact.ADDITIVE, Impact.INFO

JSON = dict[str, Any]


def changes(before: JSON, after: JSON) -> tuple[Change, ...]:
    documents = [surface_of(each).document or b"" for each in (before, after)]
    return compare(documents[0], documents[1])


def told(before: JSON, after: JSON) -> list[tuple[str, Impact]]:
    return [(each.code, each.impact) for each in changes(before, after)]


def tool(schema: JSON | None = None, **members: Any) -> JSON:
    return {"name": "search", "inputSchema": schema or {"type": "object"}, **members}


def one(**schema: Any) -> JSON:
    """A server with one tool that takes one required parameter, `q`, of this schema."""
    return {"tools": [tool({"type": "object", "properties": {"q": schema}, "required": ["q"]})]}


def inputs(properties: JSON, *required: str, **more: Any) -> JSON:
    return {"tools": [tool({"type": "object", "properties": properties, "required": [*required], **more})]}  # fmt: skip


def output(**schema: Any) -> JSON:
    return {"tools": [tool(outputSchema={"type": "object", **schema})]}


STR, INT, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}

ROWS: list[tuple[str, JSON, JSON, str, Impact]] = [
    # Parameters.
    ("required added", inputs({}), inputs({"q": STR}, "q"), "required_parameter_added", BREAKING),
    ("optional added", inputs({}), inputs({"q": STR}), "parameter_added", ADDITIVE),
    ("removed", inputs({"q": STR, "r": INT}), inputs({"r": INT}), "parameter_removed", BREAKING),
    ("renamed", inputs({"q": STR}, "q"), inputs({"query": STR}, "query"), "parameter_renamed", BREAKING),
    ("now required", inputs({"q": STR}), inputs({"q": STR}, "q"), "parameter_required", BREAKING),
    ("now optional", inputs({"q": STR}, "q"), inputs({"q": STR}), "parameter_optional", ADDITIVE),
    ("closed", inputs({"q": STR}), inputs({"q": STR}, additionalProperties=False), "parameter_closed", BREAKING),
    ("opened", inputs({"q": STR}, additionalProperties=False), inputs({"q": STR}), "parameter_opened", ADDITIVE),
    # Types and values.
    ("type changed", one(type="string"), one(type="integer"), "parameter_type_changed", BREAKING),
    ("type widened", one(type="integer"), one(type="number"), "parameter_type_widened", ADDITIVE),
    ("type narrowed", one(type="number"), one(type="integer"), "parameter_type_narrowed", BREAKING),
    ("null admitted", one(type="string"), one(type=["string", "null"]), "parameter_type_widened", ADDITIVE),
    ("null refused", one(type=["string", "null"]), one(type="string"), "parameter_type_narrowed", BREAKING),
    ("enum narrowed", one(enum=["a", "b"]), one(enum=["a"]), "parameter_enum_narrowed", BREAKING),
    ("enum widened", one(enum=["a"]), one(enum=["b", "a"]), "parameter_enum_widened", ADDITIVE),
    ("enum swapped", one(enum=["a"]), one(enum=["b"]), "parameter_enum_changed", BREAKING),
    ("enum new", one(type="string"), one(type="string", enum=["b"]), "parameter_enum_narrowed", BREAKING),
    ("const to enum", one(const="a"), one(enum=["a", "b"]), "parameter_enum_widened", ADDITIVE),
    # Ranges, lengths, patterns.
    ("minimum raised", one(minimum=1), one(minimum=2), "parameter_range_narrowed", BREAKING),
    ("minimum lowered", one(minimum=1), one(minimum=0.5), "parameter_range_widened", ADDITIVE),
    ("maximum new", one(type="integer"), one(type="integer", maximum=5), "parameter_range_narrowed", BREAKING),
    ("maximum gone", one(maximum=5), one(), "parameter_range_widened", ADDITIVE),
    ("maximum raised", one(maximum=5), one(maximum=50), "parameter_range_widened", ADDITIVE),
    ("step finer", one(multipleOf=10), one(multipleOf=5), "parameter_range_widened", ADDITIVE),
    ("step coarser", one(multipleOf=5), one(multipleOf=10), "parameter_range_narrowed", BREAKING),
    ("shorter", one(maxLength=9), one(maxLength=8), "parameter_length_narrowed", BREAKING),
    ("not empty", one(type="array"), one(type="array", minItems=1), "parameter_length_narrowed", BREAKING),
    ("pattern new", one(type="string"), one(type="string", pattern="^a"), "parameter_pattern_narrowed", BREAKING),
    ("pattern gone", one(pattern="^a"), one(), "parameter_pattern_widened", ADDITIVE),
    ("pattern other", one(pattern="^a"), one(pattern="^b"), "parameter_pattern_changed", BREAKING),
    ("format new", one(type="string"), one(type="string", format="uri"), "parameter_format_narrowed", BREAKING),
    ("unique", one(type="array"), one(type="array", uniqueItems=True), "parameter_constraint_narrowed", BREAKING),
    ("not", one(type="string"), one(type="string", **{"not": {"const": "x"}}), "parameter_constraint_narrowed", BREAKING),
    ("header", one(**{"x-mcp-header": "A"}), one(**{"x-mcp-header": "B"}), "parameter_header_changed", BREAKING),
    ("dialect", one(**{"$schema": "a"}), one(**{"$schema": "b"}), "keyword_changed", INFO),
    # Schemas within schemas.
    ("nested", one(type="object", properties={"a": STR}), one(type="object", properties={"a": INT}), "parameter_type_changed", BREAKING),
    ("items", one(type="array", items=INT), one(type="array", items={"type": "number"}), "parameter_type_widened", ADDITIVE),
    ("items said", one(type="array"), one(type="array", items=INT), "parameter_constraint_narrowed", BREAKING),
    ("map values", one(additionalProperties=INT), one(additionalProperties=STR), "parameter_type_changed", BREAKING),
    ("tuple longer", one(prefixItems=[INT]), one(prefixItems=[INT, STR]), "parameter_constraint_narrowed", BREAKING),
    ("variant gone", one(anyOf=[STR, INT]), one(anyOf=[STR]), "parameter_variant_removed", BREAKING),
    ("variant new", one(anyOf=[STR]), one(anyOf=[INT, STR]), "parameter_variant_added", ADDITIVE),
    ("optional by anyOf", one(type="string"), one(anyOf=[STR, NULL]), "parameter_variant_added", ADDITIVE),
    ("required by anyOf", one(anyOf=[STR, NULL]), one(type="string"), "parameter_variant_removed", BREAKING),
    ("inside a variant", one(anyOf=[{"type": "string", "maxLength": 9}, NULL]), one(anyOf=[{"type": "string", "maxLength": 5}, NULL]), "parameter_length_narrowed", BREAKING),
    ("oneOf", one(oneOf=[STR, INT]), one(oneOf=[STR, NULL]), "parameter_variant_removed", BREAKING),
    ("allOf more", one(allOf=[{"minimum": 1}, {"maximum": 9}]), one(allOf=[{"minimum": 1}, {"maximum": 9}, {"multipleOf": 2}]), "parameter_constraint_narrowed", BREAKING),
    ("behind $ref", inputs({"q": {"$ref": "#/$defs/Q"}}, **{"$defs": {"Q": STR}}), inputs({"q": {"$ref": "#/$defs/Q"}}, **{"$defs": {"Q": INT}}), "parameter_type_changed", BREAKING),
    ("nothing admitted", one(type="string"), {"tools": [tool({"type": "object", "properties": {"q": False}, "required": ["q"]})]}, "parameter_constraint_narrowed", BREAKING),
    # What comes out: the mirror image.
    ("field removed", output(properties={"a": STR, "b": INT}), output(properties={"b": INT}), "output_removed", BREAKING),
    ("field added", output(properties={}), output(properties={"a": STR}), "output_added", ADDITIVE),
    ("field promised", output(properties={"a": STR}), output(properties={"a": STR}, required=["a"]), "output_required", ADDITIVE),
    ("field not promised", output(properties={"a": STR}, required=["a"]), output(properties={"a": STR}), "output_optional", BREAKING),
    ("field type", output(properties={"a": STR}), output(properties={"a": INT}), "output_type_changed", BREAKING),
    ("more comes out", output(properties={"a": {"enum": ["x"]}}), output(properties={"a": {"enum": ["x", "y"]}}), "output_enum_widened", BREAKING),
    ("less comes out", output(properties={"a": {"enum": ["x", "y"]}}), output(properties={"a": {"enum": ["x"]}}), "output_enum_narrowed", ADDITIVE),
    ("output gone", output(), {"tools": [tool()]}, "output_schema_removed", BREAKING),
    ("output new", {"tools": [tool()]}, output(), "output_schema_added", ADDITIVE),
    # Texts and hints.
    ("description", {"tools": [tool(description="Finds books.")]}, {"tools": [tool(description="Finds films.")]}, "description_changed", TEXT),
    ("title", {"tools": [tool(title="A")]}, {"tools": [tool(title="B")]}, "title_changed", TEXT),
    ("parameter text", one(description="a"), one(description="b"), "description_changed", TEXT),
    ("default", one(default=1), one(default=2), "default_changed", TEXT),
    ("examples", one(examples=[1]), one(examples=[2]), "examples_changed", TEXT),
    ("annotation title", {"tools": [tool(annotations={"title": "A"})]}, {"tools": [tool(annotations={"title": "B"})]}, "title_changed", TEXT),
    ("read only", {"tools": [tool(annotations={"readOnlyHint": True})]}, {"tools": [tool()]}, "read_only_hint_flipped", HINT),
    ("destructive", {"tools": [tool(annotations={"destructiveHint": False})]}, {"tools": [tool(annotations={})]}, "destructive_hint_flipped", HINT),
    ("open world", {"tools": [tool(annotations={"openWorldHint": False})]}, {"tools": [tool(annotations={"openWorldHint": True})]}, "open_world_hint_flipped", HINT),
    ("idempotent", {"tools": [tool()]}, {"tools": [tool(annotations={"idempotentHint": True})]}, "idempotent_hint_flipped", HINT),
    ("default stated", {"tools": [tool()]}, {"tools": [tool(annotations={"destructiveHint": True})]}, "annotation_changed", INFO),
    ("hint without meaning", {"tools": [tool(annotations={"readOnlyHint": True})]}, {"tools": [tool(annotations={"readOnlyHint": True, "destructiveHint": False})]}, "annotation_changed", INFO),
    ("set reordered", one(enum=["a", "b"]), one(enum=["b", "a"]), "definition_changed", INFO),
    # Lists, prompts, resources, the server.
    ("tool added", {"tools": [tool()]}, {"tools": [tool(), {"name": "b", "inputSchema": {}}]}, "tool_added", ADDITIVE),
    ("tool removed", {"tools": [tool(), {"name": "b", "inputSchema": {}}]}, {"tools": [tool()]}, "tool_removed", BREAKING),
    ("emptied", {"tools": [tool()]}, {"tools": []}, "list_emptied", BREAKING),
    ("prompt removed", {"prompts": [{"name": "a"}, {"name": "b"}]}, {"prompts": [{"name": "b"}]}, "prompt_removed", BREAKING),
    ("prompt added", {"prompts": []}, {"prompts": [{"name": "b"}]}, "prompt_added", ADDITIVE),
    ("argument new", {"prompts": [{"name": "a"}]}, {"prompts": [{"name": "a", "arguments": [{"name": "x"}]}]}, "argument_added", ADDITIVE),
    ("argument demanded", {"prompts": [{"name": "a", "arguments": [{"name": "x"}]}]}, {"prompts": [{"name": "a", "arguments": [{"name": "x", "required": True}]}]}, "argument_required", BREAKING),
    ("prompt text", {"prompts": [{"name": "a", "description": "x"}]}, {"prompts": [{"name": "a", "description": "y"}]}, "description_changed", TEXT),
    ("resource removed", {"resources": [{"uri": "a:1"}, {"uri": "a:2"}]}, {"resources": [{"uri": "a:1"}]}, "resource_removed", BREAKING),
    ("resource type", {"resources": [{"uri": "a:1", "mimeType": "text/plain"}]}, {"resources": [{"uri": "a:1", "mimeType": "text/html"}]}, "mime_type_changed", BREAKING),
    ("resource name", {"resources": [{"uri": "a:1", "name": "a"}]}, {"resources": [{"uri": "a:1", "name": "b"}]}, "name_changed", TEXT),
    ("template added", {}, {"resourceTemplates": [{"uriTemplate": "a:{x}"}]}, "resource_template_added", ADDITIVE),
    ("instructions", {"instructions": "Be kind."}, {"instructions": "Be quick."}, "instructions_changed", TEXT),
    ("offer gone", {"capabilities": {"prompts": {}}}, {"capabilities": {}}, "capability_removed", INFO),
    ("offer new", {}, {"capabilities": {"completions": {}}}, "capability_added", INFO),
    ("server renamed", {"serverInfo": {"name": "a"}}, {"serverInfo": {"name": "b"}}, "server_renamed", INFO),
    ("version", {"serverInfo": {"version": "1"}}, {"serverInfo": {"version": "2"}}, "server_version_changed", INFO),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "code", "impact"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_each_change_has_its_class(before: JSON, after: JSON, code: str, impact: Impact) -> None:
    found = changes(before, after)

    assert (code, impact) in [(each.code, each.impact) for each in found]
    assert worst(found) is impact
    assert all(each.message.endswith(".") for each in found)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_only_version_and_offers_leave_the_digest_alone(row: tuple[str, JSON, JSON, str, Impact]) -> None:  # fmt: skip
    before, after = surface_of(row[1]), surface_of(row[2])

    is_drift = row[3] not in {"capability_removed", "capability_added", "server_version_changed"}
    assert (before.digest != after.digest) is is_drift


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_nothing_changes_between_a_surface_and_itself(
    row: tuple[str, JSON, JSON, str, Impact],
) -> None:
    assert changes(row[1], row[1]) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (one(type="string", minLength=0), one(type="string")),
        (one(**{"$ref": "#/$defs/Q"}), one(type="string")),
        (one(allOf=[STR]), one(type="string")),
        (one(type=["string", "null"]), one(anyOf=[NULL, STR])),
        (one(anyOf=[STR, INT]), one(anyOf=[INT, STR])),
        (one(additionalProperties=True), one()),
    ],
)
def test_another_spelling_is_no_break(before: JSON, after: JSON) -> None:
    for server in (before, after):
        server["tools"][0]["inputSchema"]["$defs"] = {"Q": STR}

    assert told(before, after) == [("definition_changed", INFO)]


def test_where_and_what_is_told() -> None:
    before = inputs({"filter": {"type": "object", "properties": {"tags": {"type": "array", "items": STR}}}})  # fmt: skip
    after = deepcopy(before)
    after["tools"][0]["inputSchema"]["properties"]["filter"]["properties"]["tags"]["items"] = INT

    assert [
        Change(
            "parameter_type_changed",
            BREAKING,
            "tool search",
            "inputSchema.properties.filter.properties.tags.items.type",
            '"string"',
            '"integer"',
            "Parameter ‘filter.tags[]’ of tool search admits something else than before: "
            'type "string" → "integer".',
        )
    ] == [*changes(before, after)]


LONG = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for.", "minLength": 1},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        "lang": {"enum": ["de", "en"]},
    },
    "required": ["query"],
}
SAID = "Searches all books of the library by title, author and full text."


def test_a_renamed_tool_is_told_as_such() -> None:
    before = {"tools": [tool(LONG, description=SAID)]}
    after = {"tools": [tool(LONG, description=SAID, name="find_books")]}

    assert told(before, after) == [("tool_renamed", BREAKING)]
    assert "‘search’ seems to be called ‘find_books’ now" in changes(before, after)[0].message


def test_a_renamed_tool_is_compared_too() -> None:
    narrowed = deepcopy(LONG)
    narrowed["properties"]["limit"]["maximum"] = 40  # type: ignore[index]
    before = {"tools": [tool(LONG, description=SAID)]}
    after = {"tools": [tool(narrowed, description=SAID, name="find_books")]}

    assert told(before, after) == [("tool_renamed", BREAKING), ("parameter_range_narrowed", BREAKING)]  # fmt: skip


def test_another_tool_is_no_renamed_one() -> None:
    before = {"tools": [tool(LONG, description=SAID)]}
    after = {"tools": [tool(description="Deletes an account.", name="delete_account")]}

    assert {("tool_removed", BREAKING), ("tool_added", ADDITIVE)} == set(told(before, after))


def test_bare_tools_are_too_alike_to_call_one_renamed() -> None:
    before, after = {"tools": [tool(name="ping")]}, {"tools": [tool(name="pong")]}

    assert told(before, after) == [("tool_removed", BREAKING), ("tool_added", ADDITIVE)]


def test_a_list_that_lost_half_is_told_before_what_it_lost() -> None:
    tools = [tool(name=f"tool_{each}") for each in range(12)]

    found = told({"tools": tools}, {"tools": tools[6:]})

    assert found[0] == ("list_shrunk", BREAKING)
    assert found[1:] == [("tool_removed", BREAKING)] * 6


def test_an_emptied_list_is_one_change() -> None:
    tools = [tool(name=f"tool_{each}") for each in range(12)]

    (emptied,) = changes({"tools": tools}, {})

    assert (emptied.code, emptied.before, emptied.after) == ("list_emptied", "12", "0")


def test_the_worst_comes_first_and_too_many_are_counted() -> None:
    before = {"tools": [tool(name=f"t{each:04}", description="a") for each in range(900)]}
    after = {
        "tools": [
            tool({"type": "object", "properties": {}, "additionalProperties": False}, name=f"t{each:04}")
            if each > 800 else tool(name=f"t{each:04}", description="b") for each in range(900)
        ]
    }  # fmt: skip

    found = changes(before, after)

    assert len(found) == MAX_CHANGES + 1
    assert (found[-1].code, found[-1].after, found[-1].impact) == ("more_changes", "499", TEXT)
    ranks = [each.impact.rank for each in found[:-1]]
    assert ranks == sorted(ranks, reverse=True)
    assert found[0].impact is BREAKING


@given(st.integers())
def test_the_order_of_changes_never_depends_on_the_order_of_lists(seed: int) -> None:
    rng = random.Random(seed)
    before = {"tools": [tool(LONG, name=f"t{each}", description=SAID) for each in range(4)]}
    after = {"tools": [tool(name="x"), tool({"type": "object", "required": ["z"]}, name="t1")]}
    expected = changes(before, after)
    for each in (before, after):
        rng.shuffle(each["tools"])

    assert changes(before, after) == expected


def test_references_in_circles_come_to_an_end() -> None:
    def tree(leaf: JSON) -> JSON:
        node = {
            "type": "object",
            "properties": {
                "left": {"$ref": "#/$defs/Node"},
                "right": {"$ref": "#/$defs/Node"},
                "value": leaf,
            },
        }
        loop = {"$ref": "#/$defs/Loop"}
        return {"tools": [tool({"$ref": "#/$defs/Node", "$defs": {"Node": node, "Loop": loop}})]}

    assert told(tree(STR), tree(INT)) == [("parameter_type_changed", BREAKING)]
    assert told(tree({"$ref": "#/$defs/Loop"}), tree(STR))
    assert told(tree({"$ref": "https://far.example/x"}), tree({"$ref": "https://far.example/y"}))


def test_doubling_references_are_compared_once() -> None:
    """Twenty definitions that each name the next one twice would be a million paths."""

    def server(leaf: JSON) -> JSON:
        named: JSON = {f"d{each}": {"properties": {"a": {"$ref": f"#/$defs/d{each + 1}"}, "b": {"$ref": f"#/$defs/d{each + 1}"}}} for each in range(20)}  # fmt: skip
        return {"tools": [tool({"$ref": "#/$defs/d0", "$defs": {**named, "d20": leaf}})]}

    assert told(server(STR), server(INT)) == [("parameter_type_changed", BREAKING)]


@pytest.mark.parametrize("levels", [70, 450])
def test_deep_schemas_are_compared_without_a_crash(levels: int) -> None:
    def deep(leaf: JSON) -> JSON:
        for _ in range(levels):
            leaf = {"items": leaf}
        return {"tools": [tool(leaf)]}

    assert told(deep(STR), deep(INT)) == [("parameter_constraint_changed", BREAKING)]


odd = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "properties", "required", "enum", "items", "anyOf", "allOf", "$ref", "minimum",
             "additionalProperties", "not", "prefixItems", "multipleOf", "a", "description", "const",
             "uniqueItems", "oneOf", "$defs", "title"]
        ),
        inner | st.sampled_from(["string", "object", "#/a", "#"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(odd, odd)
def test_no_schema_is_too_odd_to_be_compared(before: object, after: object) -> None:
    servers = [{"tools": [{"name": "x", "inputSchema": each, "outputSchema": each, "annotations": each}]} for each in (before, after)]  # fmt: skip

    found = changes(*servers)

    assert bool(found) is (surface_of(servers[0]) != surface_of(servers[1]))
    assert found == changes(*servers)
