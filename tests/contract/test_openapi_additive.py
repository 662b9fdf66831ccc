"""The comparison itself: what counts as additive and what breaks a client."""

from copy import deepcopy
from typing import Any

import pytest
from suite.openapi import breaking_changes

THING: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["id"],
}
NEW_THING: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "kind": {"enum": ["a", "b"], "type": "string"}},
    "required": ["name"],
}


def document() -> dict[str, Any]:
    """One list and one create route over two named schemas."""
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    body = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}},
    }
    limit = {"in": "query", "name": "limit", "schema": {"type": "integer"}}
    return {
        "paths": {
            "/things": {
                "get": {"parameters": [limit], "responses": {"200": answer}},
                "post": {"requestBody": body, "responses": {"201": answer}},
            }
        },
        "components": {"schemas": {"Thing": deepcopy(THING), "NewThing": deepcopy(NEW_THING)}},
    }


def changed(**edits: Any) -> dict[str, Any]:
    """The document with `section__key` paths of its schemas replaced; None removes."""
    new = document()
    for path, value in edits.items():
        *parents, last = path.split("__")
        target = new["components"]["schemas"]
        for parent in parents:
            target = target[parent]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return new


def test_the_same_document_breaks_nothing() -> None:
    assert breaking_changes(document(), document()) == []


@pytest.mark.parametrize(
    "edits",
    [
        {"Thing__properties__size": {"type": "integer"}},
        {"NewThing__properties__size": {"type": "integer"}},
        {"NewThing__properties__kind__enum": ["a", "b", "c"]},
        {"NewThing__required": []},
        {"Thing__required": ["id", "note"]},
    ],
)
def test_additions_break_nothing(edits: dict[str, Any]) -> None:
    assert breaking_changes(document(), changed(**edits)) == []


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ({"Thing__properties__id": None}, "id is gone"),
        ({"Thing__properties__id": {"type": "integer"}}, "string became integer"),
        ({"Thing__required": []}, "id may be absent"),
        ({"Thing__properties__note": {"type": "null"}}, "variant is gone"),
        ({"NewThing__properties__name": None}, "name is gone"),
        ({"NewThing__required": ["name", "kind"]}, "kind is required"),
        ({"NewThing__properties__kind__enum": ["a"]}, "no longer takes"),
    ],
)
def test_a_narrowed_schema_is_reported(edits: dict[str, Any], says: str) -> None:
    assert any(says in line for line in breaking_changes(document(), changed(**edits)))


def test_a_removed_route_is_reported() -> None:
    new = document()
    del new["paths"]["/things"]["post"]
    assert breaking_changes(document(), new) == ["POST /things is gone"]


def test_a_parameter_that_becomes_required_or_disappears_is_reported() -> None:
    new = document()
    new["paths"]["/things"]["get"]["parameters"] = [
        {"in": "query", "name": "team", "required": True, "schema": {"type": "string"}}
    ]
    lines = breaking_changes(document(), new)
    assert any("limit is gone" in line for line in lines)
    assert any("team is required now" in line for line in lines)


def test_a_status_that_is_no_longer_answered_is_reported() -> None:
    new = document()
    new["paths"]["/things"]["post"]["responses"] = {"200": {}}
    assert breaking_changes(document(), new) == ["POST /things: no longer answers 201"]
