"""Arguments of a model and schemas of strangers are checked before anything uses them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from agent_service.tools.arguments import ARGUMENTS_CHARS_MAX, ArgumentsInvalid, check_arguments
from agent_service.tools.port import ToolContext, ToolResult
from agent_service.tools.schemas import SchemaRefused, is_harmless_pattern, safe_schema

ADD = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "b": {"type": "integer", "minimum": 0},
        "note": {"type": "string", "maxLength": 10},
    },
    "required": ["a", "b"],
    "additionalProperties": False,
}


@dataclass
class Declared:
    """A tool that is only its schema."""

    parameters: Mapping[str, Any] = field(default_factory=lambda: ADD)
    name: str = "add"
    title: str = "Add"
    description: str = "adds"
    source: str = "built-in"
    timeout_s: float = 1
    repeatable: bool = True
    needs_approval: bool = False

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        raise NotImplementedError


def test_arguments_that_fit_come_back_as_they_are() -> None:
    assert check_arguments(Declared(), '{"a": 1, "b": 2}') == {"a": 1, "b": 2}


def test_an_object_that_was_quoted_once_more_is_understood() -> None:
    assert check_arguments(Declared(), json.dumps('{"a": 1, "b": 2}')) == {"a": 1, "b": 2}


def test_nothing_at_all_counts_as_no_arguments() -> None:
    assert check_arguments(Declared(parameters={"type": "object", "properties": {}}), "  ") == {}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param('{"a": "one", "b": 2}', "'one' is not of type 'integer'", id="wrong-type"),
        pytest.param('{"a": 1}', "'b' is a required property", id="missing"),
        pytest.param('{"a": 1, "b": -1}', "b: -1 is less than the minimum", id="below-minimum"),
        pytest.param('{"a": 1, "b": 2, "c": 3}', "'c' was unexpected", id="unknown-member"),
        pytest.param('{"a": 1, "b": ', "not valid JSON", id="cut-json"),
        pytest.param('{"a": NaN, "b": 1}', "not valid JSON", id="nan"),
        pytest.param("[1, 2]", "not a JSON object", id="a-list"),
        pytest.param('{"a": 1, "b": 2, "note": "\\u0000"}', "not text", id="nul"),
        pytest.param('{"a": 1, "b": 2, "note": "\\ud800"}', "not text", id="half-a-surrogate"),
        pytest.param('{"a":' + "9" * 5000 + ',"b":1}', "not valid JSON", id="a-number-without-end"),
        pytest.param("[" * 100_000, "not valid JSON", id="brackets-without-end"),
        pytest.param('{"a": ' + "[" * 40 + "]" * 40 + "}", "nested deeper", id="deep"),
        pytest.param('{"a": "' + "x" * ARGUMENTS_CHARS_MAX + '"}', "longer than", id="long"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_few_words_that_help(raw: str, says: str) -> None:
    with pytest.raises(ArgumentsInvalid) as refused:
        check_arguments(Declared(), raw)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 1500


def test_the_refusal_shows_what_to_send() -> None:
    with pytest.raises(ArgumentsInvalid) as refused:
        check_arguments(Declared(), "{}")
    assert '{"a": integer, "b": integer, "note": string (optional)}' in str(refused.value)


def test_a_huge_wrong_value_does_not_fill_the_models_context() -> None:
    with pytest.raises(ArgumentsInvalid) as refused:
        check_arguments(
            Declared(), json.dumps({"a": "x" * 100_000, "b": ["y"] * 10_000, "note": "z" * 50_000})
        )
    assert len(str(refused.value)) < 1500


def test_local_references_are_written_out() -> None:
    schema = safe_schema(
        {
            "type": "object",
            "properties": {"p": {"$ref": "#/$defs/point", "description": "where"}},
            "$defs": {
                "point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
            },
        }
    )
    assert schema["properties"]["p"] == {
        "type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"], "description": "where",
    }  # fmt: skip
    with pytest.raises(ArgumentsInvalid, match="required property"):
        check_arguments(Declared(parameters=schema), '{"p": {}}')


def test_a_recursive_type_is_cut_and_still_checked_on_its_first_round() -> None:
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    }
    schema = safe_schema(tree)
    assert "$ref" not in json.dumps(schema)
    check_arguments(Declared(parameters=schema), '{"name": "a", "children": [{"name": "b"}]}')
    with pytest.raises(ArgumentsInvalid):
        check_arguments(Declared(parameters=schema), '{"name": 1}')


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 5} for n in range(6)} | {
    "d6": {"type": "object"}
}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        pytest.param(
            {"type": "object", "properties": {"a": {"$ref": "https://example.com/s.json"}}},
            "nothing is fetched",
            id="remote",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
            "nothing is fetched",
            id="file",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, "does not have", id="dangling"
        ),
        pytest.param({"$ref": "#/$defs/d0", "$defs": DOUBLING}, "parts once", id="doubling-references"),
        pytest.param(_deep(40), "nested deeper", id="deep"),
        pytest.param({"type": "object", "description": "x" * 40_000}, "larger than", id="large"),
        pytest.param({"type": "string"}, "not an object", id="no-object"),
        pytest.param({"type": "object", "properties": []}, "properties", id="properties-is-a-list"),
        pytest.param({"type": "object", "required": "a"}, "valid JSON Schema", id="malformed-keyword"),
        pytest.param({"type": "object", "properties": {"a": 5}}, "valid JSON Schema", id="part-is-a-number"),
        pytest.param({"type": "objekt"}, "not an object", id="unknown-type"),
        pytest.param(None, "not an object", id="null"),
        pytest.param({"$dynamicRef": "#x"}, "dynamic", id="dynamic"),
    ],
)
def test_a_schema_that_could_harm_is_refused_with_the_reason(schema: Any, says: str) -> None:
    with pytest.raises(SchemaRefused, match=says):
        safe_schema(schema)


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]+$", r"^\d{4}-\d{2}-\d{2}$", "^(?:a|b)$", "^[^@]+@[a-z.]+$", r"\(x\)+", "[)]*"],
    ids=repr,
)
def test_plain_patterns_are_kept(pattern: str) -> None:
    assert is_harmless_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "(a|a)*b", "(?:a*)*", ".*.*.*x", r"(a)\1", "(?=a)b", "(", "a?a?a?aaa", "(x){2,}", "x" * 300],
    ids=lambda pattern: repr(pattern[:20]),
)
def test_patterns_that_could_run_for_long_are_left_out(pattern: str) -> None:
    assert not is_harmless_pattern(pattern)
    schema = safe_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}})
    assert schema["properties"]["a"] == {"type": "string"}


def test_the_slowest_pattern_that_is_kept_is_over_soon() -> None:
    parameters = safe_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": ".*.*x$"}}})
    began = time.process_time()
    with pytest.raises(ArgumentsInvalid, match="does not match"):
        check_arguments(Declared(parameters=parameters), json.dumps({"a": "y" * 256}))
    check_arguments(
        Declared(parameters=parameters), json.dumps({"a": "y" * 5000})
    )  # too long to match: left to the server
    assert time.process_time() - began < 1
