"""MCP servers that others wrote, through port 8000: one started by the operator's file, one added by an
administrator.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import mcp_servers
import pytest
from suite.documents import agent
from suite.people import Person

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ONE_CALL = {"accept": "application/json"}


def tools_of(person: Person) -> dict[str, Any]:
    """What agents can be given, by name."""
    return {tool["name"]: tool for tool in person.get("/api/v1/agents/tools")["data"]}


def result_of(person: Person, tool: str, arguments: str) -> str:
    """The result of one call by an agent that was given the tool."""
    body = {"input": f"!call={tool} !args={arguments}", "model": "fake-echo"}
    answer = person.http.post(
        f"/api/v1/agents/{agent(person, tools=[tool])}/runs", json=body, headers=ONE_CALL
    )
    assert answer.status_code in {200, 201}, answer.text
    (step,) = (step for step in answer.json()["steps"] if step["kind"] == "tool")
    assert step["status"] == "done", step
    return str(step["result"])


@pytest.fixture(scope="module")
def everything(admin: Person) -> Iterator[dict[str, Any]]:
    """The reference server of the protocol's authors, over HTTP."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing")
    with mcp_servers.everything_over_http() as url:
        answer = admin.http.post(
            "/api/v1/agents/mcp-servers",
            json={"name": "everything", "url": url, "access": {"roles": ["user"]}},
        )
        assert answer.status_code == 201, answer.text
        server: dict[str, Any] = answer.json()
        yield server
        assert admin.http.delete(f"/api/v1/agents/mcp-servers/{server['id']}").status_code == 204


def test_a_server_of_the_operators_file_lists_and_answers(person: Person) -> None:
    assert tools_of(person)["time__get_current_time"]["source"] == "time"
    assert "Europe/Oslo" in result_of(person, "time__get_current_time", '{"timezone":"Europe/Oslo"}')


def test_a_server_that_an_administrator_adds_lists_and_answers(
    admin: Person, person: Person, everything: dict[str, Any]
) -> None:
    checked = admin.http.post(f"/api/v1/agents/mcp-servers/{everything['id']}/check")
    assert checked.status_code == 200, checked.text
    assert tools_of(person)["everything__echo"]["available"]
    assert "kestrel" in result_of(person, "everything__echo", '{"message":"kestrel"}')
    assert "42" in result_of(person, "everything__get-sum", '{"a":19,"b":23}')


def test_only_administrators_add_servers_and_nobody_adds_programs(admin: Person, person: Person) -> None:
    body = {"name": "mine", "url": "http://127.0.0.1:9/mcp"}
    assert person.http.post("/api/v1/agents/mcp-servers", json=body).status_code == 403
    assert person.http.get("/api/v1/agents/mcp-servers").status_code == 403
    program = {"name": "program", "command": "sh", "args": ["-c", "id"]}
    assert admin.http.post("/api/v1/agents/mcp-servers", json=program).status_code == 422
    metadata = {"name": "metadata", "url": "http://169.254.169.254/latest"}
    assert admin.http.post("/api/v1/agents/mcp-servers", json=metadata).status_code == 422
