"""The committed OpenAPI documents are what the services generate, and only ever grow."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from atrium_local.services import SERVICES, Service
from suite.apps import all_routes, service_app
from suite.openapi import breaking_changes

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "docs/openapi"
COMMITS = 5  # so many changes of a document back


def generated(service: Service) -> dict[str, Any]:
    """The document as the service makes it now."""
    document: dict[str, Any] = json.loads(json.dumps(service_app(service).api.openapi()))
    return document


def git(*arguments: str) -> str | None:
    """What git says; None when there is no repository or no such thing in it."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def previous_versions(service: Service) -> list[dict[str, Any]]:
    """The documents that clients may have been written for: the last committed ones and that of the last release."""
    name = f"{FOLDER}/{service.name}.json"
    commits = (git("log", "-n", str(COMMITS), "--format=%H", "--", name) or "").split()
    tag = (git("describe", "--tags", "--abbrev=0") or "").split()
    texts = [git("show", f"{reference}:{name}") for reference in commits + tag]
    return [json.loads(text) for text in texts if text]


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
    names = {"MessageEvent", "WaitingEvent", "DeltaEvent", "ReasoningEvent", "UsageEvent", "DoneEvent", "ErrorEvent", "ResetEvent"}
    assert names <= schemas.keys()
