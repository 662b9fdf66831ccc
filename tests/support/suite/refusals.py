"""Asking for a completion, and reading the refusal."""

from typing import Any

import httpx

from suite.people import Person

ECHO = "fake-echo"


def completion(content: str = "hello", model: str = ECHO, **members: Any) -> dict[str, Any]:
    """A request body."""
    return {"model": model, "messages": [{"role": "user", "content": content}], **members}


def ask(person: Person, body: dict[str, Any], **headers: str) -> httpx.Response:
    """One completion."""
    return person.http.post("/v1/chat/completions", json=body, headers=headers)


def in_openais_envelope(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer under /v1, which must have OpenAI's shape and name the request."""
    error: dict[str, Any] = answer.json()["error"]
    assert {"message", "type", "param", "code"} <= error.keys()
    assert answer.headers["x-request-id"]
    return error


def as_problem(answer: httpx.Response) -> dict[str, Any]:
    """The body of a REST refusal, which must be problem+json."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= problem.keys()
    assert problem["status"] == answer.status_code
    return problem
