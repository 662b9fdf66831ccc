"""JSON Schemas of strangers, made safe to validate with and small enough to show to a model.

An MCP server is not trusted: its schema is rebuilt from the keywords below, local references are written out,
remote ones refused (nothing is ever fetched), patterns that could run for long are left out. What is left out
is still checked by the server itself.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

SCHEMA_CHARS_MAX = 32_000
SCHEMA_DEPTH_MAX = 16
SCHEMA_NODES_MAX = 1_000
PATTERN_CHARS_MAX = 200
PATTERN_QUANTIFIERS_MAX = 2

_VALUES = frozenset({
    "type", "enum", "const", "title", "description", "default", "format", "required", "minimum", "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
})  # fmt: skip
_ONE_SCHEMA = frozenset({"items", "additionalProperties", "not"})
_MANY_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_QUANTIFIERS = "*+?{"


class SchemaRefused(Exception):
    """The schema cannot be used; the text says why, in words for an operator."""


def safe_schema(raw: object) -> dict[str, Any]:
    """`raw` as a schema of an object without references, within the limits above. Raises: SchemaRefused."""
    if not isinstance(raw, Mapping):
        raise SchemaRefused("the schema of its arguments is not an object")
    root = cast("Mapping[str, Any]", raw)
    try:
        size = len(json.dumps(root))
    except (TypeError, ValueError, RecursionError):
        raise SchemaRefused("the schema of its arguments is not JSON") from None
    if size > SCHEMA_CHARS_MAX:
        raise SchemaRefused(f"the schema of its arguments is larger than {SCHEMA_CHARS_MAX} characters")
    schema = _Rebuild(root).schema(root, depth=0, within=())
    if schema.setdefault("type", "object") != "object":
        raise SchemaRefused("its arguments are not an object")
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        raise SchemaRefused("the schema of its arguments is not a valid JSON Schema") from None
    return schema


class _Rebuild:
    """Copies one schema keyword by keyword. `within` are the references being written out, so that a cycle is
    seen.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def schema(self, node: Mapping[str, Any], *, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        self._nodes += 1
        if self._nodes > SCHEMA_NODES_MAX:
            raise SchemaRefused(
                f"the schema of its arguments has more than {SCHEMA_NODES_MAX} parts once its references "
                "are written out"
            )
        if depth > SCHEMA_DEPTH_MAX:
            raise SchemaRefused(f"the schema of its arguments is nested deeper than {SCHEMA_DEPTH_MAX}")
        if "$dynamicRef" in node or "$recursiveRef" in node:
            raise SchemaRefused("the schema of its arguments uses dynamic references")
        kept = {name: value for name, value in node.items() if name in _VALUES}
        if (pattern := node.get("pattern")) is not None and is_harmless_pattern(pattern):
            kept["pattern"] = pattern
        kept |= self._parts(node, depth=depth + 1, within=within)
        if "$ref" in node:
            kept = {**self._referenced(node["$ref"], depth=depth, within=within), **kept}
        return kept

    def _parts(self, node: Mapping[str, Any], *, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        parts: dict[str, Any] = {
            name: self._any(node[name], depth=depth, within=within) for name in _ONE_SCHEMA & node.keys()
        }
        for name in _MANY_SCHEMAS & node.keys():
            items = node[name]
            if not isinstance(items, list):
                raise SchemaRefused(f"{name} in the schema of its arguments is not a list")
            parts[name] = [self._any(item, depth=depth, within=within) for item in cast("list[Any]", items)]
        if "properties" in node:
            properties = node["properties"]
            if not isinstance(properties, Mapping):
                raise SchemaRefused("properties in the schema of its arguments is not an object")
            parts["properties"] = {
                name: self._any(item, depth=depth, within=within)
                for name, item in cast("Mapping[str, Any]", properties).items()
            }
        return parts

    def _any(self, node: object, *, depth: int, within: tuple[str, ...]) -> dict[str, Any] | bool:
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise SchemaRefused("the schema of its arguments is not a valid JSON Schema")
        return self.schema(cast("Mapping[str, Any]", node), depth=depth, within=within)

    def _referenced(self, reference: object, *, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise SchemaRefused(
                "the schema of its arguments refers to something outside of it, and nothing is fetched for it"
            )
        if reference in within:
            return {}  # a recursive type: from its second round on anything goes, the server checks it
        target = self._any(self._find(reference), depth=depth + 1, within=(*within, reference))
        return target if isinstance(target, dict) else {}

    def _find(self, reference: str) -> object:
        place: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, dict) or key not in place:
                raise SchemaRefused("the schema of its arguments refers to a part it does not have")
            place = cast("dict[str, Any]", place)[key]
        return place


def is_harmless_pattern(pattern: object) -> bool:
    """Whether matching `pattern` takes time that is bounded by a small power of the text's length.

    Backtracking explodes through repeated groups, back references and long rows of repetitions: none of them
    is let through.
    """
    if not isinstance(pattern, str) or len(pattern) > PATTERN_CHARS_MAX or not _compiles(pattern):
        return False
    quantifiers, at, after_group = 0, 0, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and pattern[at + 1 : at + 2].isdigit():
            return False
        if character == "(" and pattern[at + 1 : at + 2] == "?" and not pattern.startswith("(?:", at):
            return False
        if character in _QUANTIFIERS and not pattern.startswith("(?", max(at - 1, 0)):
            if after_group:
                return False
            quantifiers += not _is_fixed_count(pattern, at)
        after_group = character == ")"
        at = _behind(pattern, at)
    return quantifiers <= PATTERN_QUANTIFIERS_MAX


def _behind(pattern: str, at: int) -> int:
    """The place behind the character, escape or class that begins at `at`."""
    if pattern[at] == "\\":
        return at + 2
    return _end_of_class(pattern, at) if pattern[at] == "[" else at + 1


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _end_of_class(pattern: str, start: int) -> int:
    """The place behind the `]` of the class that begins at `start`."""
    at = start + 1 + (pattern[start + 1 : start + 2] == "^")
    at += pattern[at : at + 1] == "]"
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _is_fixed_count(pattern: str, at: int) -> bool:
    """Whether the quantifier at `at` is `{n}` with one small number."""
    closing = pattern.find("}", at)
    count = pattern[at + 1 : closing]
    return pattern[at] == "{" and closing > 0 and count.isdigit() and len(count) <= 3
