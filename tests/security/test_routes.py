"""A walk over every route of every service: public by name or guarded, metered when it reaches a provider,
shut to strangers.
"""

import inspect
import uuid
from collections.abc import Iterator

import httpx
import pytest
from atrium_local.services import SERVICES, Service, service_named
from shared.arrows import ARROWS
from suite.apps import RouteInfo, all_routes, dependency_calls, gateway_prefixes, public_paths
from suite.documents import agent, knowledge_base, ready
from suite.people import Chat, Person, client
from suite.provider import Provider
from suite.stack import Stack

GUARDED = [route for route in all_routes() if route.guard is not None]
INTERNAL = [route for route in GUARDED if (route.guard or "").startswith("internal:")]
EXTERNAL = [route for route in GUARDED if route not in INTERNAL]
OBJECT_ROUTES = [route for route in EXTERNAL if "{" in route.path and "{model_id" not in route.path]

# What the whole world may call. A new public route is a decision, so it is written down here too.
WORLD = {
    "gateway": {
        "/api/v1/auth/config",
        "/api/v1/auth/signup",
        "/api/v1/auth/signin",
        "/api/v1/auth/refresh",
        "/api/v1/auth/signout",
        "/api/v1/auth/jwks",
        "/api/v1/status",
        "/api/v1/openapi.json",
        "/health",
        "/{path:path}",
    }
}
PRIVATE = ("/api/v1/chats/", "/api/v1/retrieval/", "/api/v1/agents/")
OPERATIONS = {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}

NOBODY = str(uuid.uuid4())

# Bodies that pass validation, so that a refusal comes from the guard and not from the parser.
BODIES: dict[tuple[str, str], object] = {
    ("PATCH", "/api/v1/chats/{chat_id}"): {"title": "mine now"},
    ("POST", "/api/v1/chats/{chat_id}/messages"): {"content": "hello"},
    ("POST", "/api/v1/chats/{chat_id}/messages/{message_id}/regenerate"): {},
    ("POST", "/api/v1/auth/api-keys/{key_id}/rotate"): {"grace_s": 0},
    ("PATCH", "/api/v1/admin/users/{user_id}"): {"role": "admin"},
    ("POST", "/api/v1/billing/wallets/{wallet_id}/top-ups"): {"amount": "1.00"},
    ("PATCH", "/api/v1/retrieval/knowledge-bases/{knowledge_base_id}"): {"name": "mine now"},
    ("POST", "/api/v1/retrieval/knowledge-bases/{knowledge_base_id}/files"): {"file_id": NOBODY},
    ("PATCH", "/api/v1/agents/{agent_id}"): {"name": "mine now"},
    ("POST", "/api/v1/agents/{agent_id}/runs"): {"input": "hello", "model": "fake-echo"},
    ("POST", "/api/v1/agents/runs/{run_id}/approvals/{call_id}"): {"decision": "approve"},
    ("PATCH", "/api/v1/agents/mcp-servers/{server_id}"): {"enabled": False},
}
HEADERS: dict[tuple[str, str], dict[str, str]] = {
    ("PATCH", "/api/v1/retrieval/uploads/{upload_id}"): {
        "upload-offset": "0",
        "content-type": "application/octet-stream",
    },
}


def path_with(route: RouteInfo, **ids: str) -> str:
    """The route's path with its parameters filled; a name nobody knows fails the test, so that new routes are
    thought of.
    """
    path = route.path.replace("{model_id:path}", "fake-echo")
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{route}: give this test an object for {path}"
    return path


def send(http: httpx.Client, route: RouteInfo, path: str) -> httpx.Response:
    """One request to the route with a body that passes validation."""
    body = BODIES.get((route.method, route.path), {} if route.method in {"POST", "PUT"} else None)
    headers = {"accept": "application/json", **HEADERS.get((route.method, route.path), {})}
    return http.request(route.method, path, json=body, headers=headers)


def nobodys_ids() -> dict[str, str]:
    """Well-formed ids of nothing."""
    names = (
        "chat_id", "message_id", "session_id", "key_id", "user_id", "wallet_id", "budget_id", "request_id",
        "file_id", "upload_id", "chunk_id", "knowledge_base_id", "agent_id", "run_id", "call_id", "server_id",
        "client_org_id",
    )  # fmt: skip
    return {name: str(uuid.uuid4()) for name in names}


def test_every_route_is_public_by_name_or_guarded() -> None:
    bare = [
        str(route)
        for route in all_routes()
        if route.guard is None and route.path not in public_paths(service_named(route.service))
    ]
    assert bare == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_what_is_public_is_what_was_decided(service: object) -> None:
    name = getattr(service, "name")  # noqa: B009 - parametrize gives objects
    public = {route.path for route in all_routes() if route.service == name and route.guard is None}
    assert public - OPERATIONS == WORLD.get(name, set())


def test_internal_routes_are_for_services_and_only_they_are() -> None:
    assert INTERNAL
    assert [str(route) for route in INTERNAL if not route.path.startswith("/internal/")] == []
    assert [str(route) for route in EXTERNAL if route.path.startswith("/internal/")] == []


def test_every_route_that_uses_a_model_of_a_provider_is_metered() -> None:
    users = [
        route
        for route in all_routes()
        if route.service == "inference-service" and route.guard == "models:use"
    ]
    assert users
    assert [str(route) for route in users if not (route.hot and route.metered)] == []
    assert {route.service for route in all_routes() if route.metered} == {"inference-service"}


def test_every_service_route_is_under_a_prefix_of_the_proxy_and_goes_to_its_owner() -> None:
    prefixes = {prefix.decode(): service for prefix, service in gateway_prefixes()}
    for route in EXTERNAL:
        if route.service == "gateway":
            assert not any(route.path == prefix or route.path.startswith(f"{prefix}/") for prefix in prefixes)
        else:
            owners = {
                service
                for prefix, service in prefixes.items()
                if route.path == prefix or route.path.startswith(f"{prefix}/")
            }
            assert owners == {route.service}, route


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_dependency_of_a_route_is_sent_to_a_thread(service: Service) -> None:
    # A plain function is: there it waits for the busy loop to let go, on every request.
    calls = set(dependency_calls(service))
    assert calls
    assert [call for call in calls if not _is_async(call) and not _is_async(type(call).__call__)] == []


def _is_async(call: object) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


@pytest.mark.e2e
@pytest.mark.parametrize("route", EXTERNAL, ids=str)
def test_nobody_passes_without_a_credential(stack: Stack, route: RouteInfo) -> None:
    path = path_with(route, **nobodys_ids())
    for base_url in (stack.gateway_url, stack.url(route.service)):
        with client(base_url) as http:
            answer = send(http, route, path)
        assert answer.status_code == 401, f"{base_url}: {answer.status_code}"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.e2e
@pytest.mark.parametrize("route", INTERNAL, ids=str)
def test_internal_routes_are_out_of_reach(stack: Stack, admin: Person, route: RouteInfo) -> None:
    path = path_with(route, **nobodys_ids())
    credential = {"authorization": f"Bearer {admin.token}"}
    with client(stack.gateway_url) as http:
        assert http.request(route.method, path, json={}).status_code == 404
        assert http.request(route.method, path, json={}, headers=credential).status_code == 404
    with client(stack.url(route.service)) as http:
        assert http.request(route.method, path, json={}).status_code == 401
        assert http.request(route.method, path, json={}, headers=credential).status_code == 403
        stranger = next(
            name
            for name in ("retrieval-service", "billing-service")
            if name not in f"{route.guard} {route.service}"
        )
        uninvited = stack.service_tokens(stranger).header_for(route.service).decode()
        refused = (
            403 if (stranger, route.service) in ARROWS else 401
        )  # who does not call a service is nobody there
        assert (
            http.request(route.method, path, json={}, headers={"authorization": uninvited}).status_code
            == refused
        )


@pytest.fixture(scope="module")
def owned(stack: Stack, admin: Person) -> dict[str, str]:
    """Ids of real objects of one person, by the name of the path parameter."""
    owner = Person.sign_up(stack.gateway_url, name="Olive Owner")
    chat = owner.chat("fake-echo")
    reply_id = chat.post("private words").reply_id
    (wallet,) = admin.get("/api/v1/billing/wallets")["data"]
    body = {"scope": "user", "scope_id": owner.id, "window": "day", "limit": "1.00"}
    budget = admin.http.put("/api/v1/billing/budgets", json=body).json()
    return {
        "chat_id": chat.id,
        "message_id": reply_id,
        "session_id": owner.get("/api/v1/auth/sessions")["data"][0]["id"],
        "key_id": owner.make_key()["id"],
        "user_id": owner.id,
        "client_org_id": owner.get("/api/v1/auth/me")["organisation_id"],
        "wallet_id": wallet["id"],
        "budget_id": budget["id"],
        **owned_documents(owner),
        **owned_agents(owner, admin),
    }


def owned_documents(owner: Person) -> dict[str, str]:
    """A file of private words, a passage of it, an upload that has begun, a knowledge base."""
    base = knowledge_base(owner)
    document = ready(owner, "private.txt", b"private words " * 50, "text/plain", knowledge_base_id=base)
    file_id = document["document_id"]
    chunk = owner.get(f"/api/v1/retrieval/files/{file_id}/chunks")["data"][0]
    upload = owner.http.post(
        "/api/v1/retrieval/uploads", json={"filename": "private words.txt", "size_bytes": 10}
    ).json()
    return {
        "file_id": file_id,
        "chunk_id": chunk.get("id") or chunk["chunk_id"],
        "upload_id": upload["id"],
        "knowledge_base_id": base,
    }


def owned_agents(owner: Person, admin: Person) -> dict[str, str]:
    """An agent, a run of it that called a tool, and an MCP server of the administrator."""
    agent_id = agent(owner, tools=["calculator"], instructions="private words")
    body = {"input": '!call=calculator !args={"expression":"1+1"} private words', "model": "fake-echo"}
    run = owner.http.post(
        f"/api/v1/agents/{agent_id}/runs", json=body, headers={"accept": "application/json"}
    ).json()
    (call_id,) = (step["call_id"] for step in run["steps"] if step["kind"] == "tool")
    server = admin.http.post(
        "/api/v1/agents/mcp-servers", json={"name": "nowhere", "url": "http://127.0.0.1:9/mcp"}
    )
    assert server.status_code == 201, server.text
    return {"agent_id": agent_id, "run_id": run["id"], "call_id": call_id, "server_id": server.json()["id"]}


def permissions_of(person: Person) -> set[str]:
    """What a person may do, by name."""
    return set(person.get("/api/v1/auth/me")["permissions"])


@pytest.mark.e2e
@pytest.mark.parametrize("route", OBJECT_ROUTES, ids=str)
@pytest.mark.parametrize("way", ["gateway", "directly"])
def test_anothers_object_does_not_exist_for_a_stranger(
    stack: Stack, stranger: Person, owned: dict[str, str], route: RouteInfo, way: str
) -> None:
    path = path_with(route, **owned)
    base_url = stack.gateway_url if way == "gateway" else stack.url(route.service)
    expected = 404 if route.guard in {"principal", *permissions_of(stranger)} else 403
    with client(base_url, authorization=f"Bearer {stranger.token}") as http:
        answer = send(http, route, path)
    assert answer.status_code == expected, answer.text
    assert "private words" not in answer.text


@pytest.mark.e2e
@pytest.mark.parametrize(
    "route",
    [route for route in OBJECT_ROUTES if route.path.startswith(PRIVATE) and route.guard != "tools:manage"],
    ids=str,
)
def test_even_an_administrator_does_not_reach_anothers_work(
    admin: Person, owned: dict[str, str], route: RouteInfo
) -> None:
    assert send(admin.http, route, path_with(route, **owned)).status_code == 404


@pytest.mark.e2e
def test_a_message_of_ones_own_does_not_open_anothers_chat(person: Person, stranger: Person) -> None:
    theirs, mine = person.chat("fake-echo"), stranger.chat("fake-echo")
    reply_id = mine.post("mine").reply_id
    assert stranger.http.get(f"{theirs.path}/messages/{reply_id}/stream").status_code == 404
    assert stranger.http.post(f"{theirs.path}/messages/{reply_id}/stop").status_code == 404
    other_reply = theirs.post("theirs").reply_id
    for borrowed in (f"{mine.path}/messages/{other_reply}/stream", f"{mine.path}/messages/{other_reply}"):
        assert stranger.http.get(borrowed).status_code == 404
    graft = stranger.http.post(f"{mine.path}/messages", json={"content": "x", "parent_id": other_reply})
    assert graft.status_code in {404, 422}
    assert mine.messages()[-1]["id"] == reply_id


@pytest.mark.e2e
def test_lists_hold_only_what_is_ones_own(person: Person, stranger: Person) -> None:
    made: Chat = person.chat("fake-echo")
    person.make_key()
    for path in lists_of_ones_own():
        assert made.id not in stranger.http.get(path).text
        assert person.email not in stranger.http.get(path).text
    assert stranger.get("/api/v1/chats")["data"] == []
    assert stranger.get("/api/v1/auth/api-keys")["data"] == []


def lists_of_ones_own() -> Iterator[str]:
    """Every list an ordinary person can read."""
    for route in EXTERNAL:
        if route.method == "GET" and "{" not in route.path:
            yield route.path


@pytest.mark.e2e
def test_no_dispatch_ever_went_out_without_a_hold(stack: Stack, provider: Provider, person: Person) -> None:
    for route in EXTERNAL:
        if not route.metered and route.method == "GET":
            send(person.http, route, path_with(route, **nobodys_ids()))
    dispatched = provider.counts()["dispatches"]
    held = stack.ledger.value("SELECT count(*) FROM billing.hold WHERE provider = 'openai-1'")
    assert dispatched <= held
