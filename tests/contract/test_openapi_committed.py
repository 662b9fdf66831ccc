"""The committed OpenAPI documents are what the services generate, and only ever grow."""

import json
from typing import Any

import pytest
from atrium_local.services import SERVICES, Service
from suite.apps import all_routes, service_app
from suite.history import ROOT, earlier_texts
from suite.openapi import breaking_changes

FOLDER = "docs/openapi"


def generated(service: Service) -> dict[str, Any]:
    """The document as the service makes it now."""
    document: dict[str, Any] = json.loads(json.dumps(service_app(service).api.openapi()))
    return document


def previous_versions(service: Service) -> list[dict[str, Any]]:
    """The documents that clients may have been written for."""
    return [json.loads(text) for text in earlier_texts(f"{FOLDER}/{service.name}.json")]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_committed_document_is_what_the_service_generates(service: Service) -> None:
    committed = json.loads((ROOT / FOLDER / f"{service.name}.json").read_text())
    assert committed == generated(service), "run `make generate` and commit the result"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_document_only_adds_to_the_previous_one(service: Service) -> None:
    for previous in previous_versions(service):
        assert breaking_changes(previous, generated(service)) == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_guarded_route_is_described(service: Service) -> None:
    paths = generated(service)["paths"]
    for route in all_routes():
        if route.service == service.name and route.guard is not None:
            described = paths.get(route.path.replace("{model_id:path}", "{model_id}"), {})
            assert route.method.lower() in described, route


def test_the_events_of_a_reply_are_described() -> None:
    (chat,) = (service for service in SERVICES if service.name == "chat-service")
    schemas = generated(chat)["components"]["schemas"]
    names = {
        "MessageEvent",
        "WaitingEvent",
        "DeltaEvent",
        "ReasoningEvent",
        "UsageEvent",
        "DoneEvent",
        "ErrorEvent",
        "ResetEvent",
    }
    assert names <= schemas.keys()
