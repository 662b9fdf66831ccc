"""The installation's state and its one API reference."""

from typing import Any

from gateway_service.status.document import merge
from gateways.running import Gateway, StartGateway
from servers import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/api/v1/chats": {
            "get": {
                "summary": "Chats <b>of</b> the caller",
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}
                    }
                },
            }
        },
        "/internal/v1/secret": {"post": {}},
        "/healthz": {"get": {}},
    },
    "components": {
        "schemas": {"Page": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Page"}}}}
    },
}


def service(*, ready: int = 200) -> Starlette:
    async def readyz(_request: Request) -> JSONResponse:
        return JSONResponse({"checks": {"database": "postgresql://secret"}}, status_code=ready)

    async def document(_request: Request) -> JSONResponse:
        return JSONResponse(DOCUMENT)

    return Starlette(routes=[Route("/readyz", readyz), Route("/openapi.json", document)])


async def test_status_tells_strangers_who_is_up_and_nothing_more(start_gateway: StartGateway) -> None:
    async with serve(service()) as up, serve(service(ready=503)) as down:
        urls = {f"{name}_service_url": up for name in ("inference", "agent", "retrieval", "chat")}
        async with start_gateway(**urls, billing_service_url=down) as gateway, gateway.client() as http:
            answer = await http.get("/api/v1/status")
    body = answer.json()
    assert body["status"] == "degraded"
    assert body["version"]
    assert body["services"]["gateway"]["status"] == "ok"
    assert body["services"]["chat-service"]["status"] == "ok"
    assert body["services"]["billing-service"]["status"] == "down"
    assert "secret" not in answer.text


async def test_a_service_that_does_not_answer_is_down_and_the_others_go_on(
    start_gateway: StartGateway,
) -> None:
    nowhere = {
        f"{name}_service_url": "http://127.0.0.1:9"
        for name in ("inference", "agent", "retrieval", "chat", "billing")
    }
    async with start_gateway(**nowhere) as gateway, gateway.client() as http:
        body = (await http.get("/api/v1/status")).json()
        health = await http.get("/health")
        ready = await http.get("/readyz")
    assert body["status"] == "degraded"
    assert body["services"]["chat-service"] == {"status": "down", "latency_ms": None}
    assert health.json() == {"status": "ok"}
    assert ready.status_code == 200


async def test_one_document_describes_all_services(start_gateway: StartGateway) -> None:
    async with serve(service()) as up:
        urls = {
            f"{name}_service_url": "http://127.0.0.1:9"
            for name in ("inference", "agent", "retrieval", "billing")
        }
        async with start_gateway(**urls, chat_service_url=up) as gateway, gateway.client() as http:
            document = (await http.get("/api/v1/openapi.json")).json()
            own = (await http.get("/openapi.json")).json()
            page = await http.get("/docs")
            named = [
                await http.get(word) for word in own["info"]["description"].split() if word.startswith("/")
            ]
    assert "/api/v1/chats" not in own["paths"]
    assert (named[0].json(), named[1].text) == (document, page.text)
    assert "of the gateway itself" in own["info"]["description"]
    assert "of the gateway itself" not in document["info"]["description"]
    assert "/api/v1/auth/signin" in document["paths"]
    assert "/api/v1/chats" in document["paths"]
    assert "/internal/v1/secret" not in document["paths"]
    assert "chat-service.Page" in document["components"]["schemas"]
    assert document["x-atrium-missing"] == [
        "agent-service",
        "billing-service",
        "inference-service",
        "retrieval-service",
    ]
    assert "Chats &lt;b&gt;of&lt;/b&gt; the caller" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_references_follow_their_schemas() -> None:
    merged = merge({"info": {"version": "1"}, "paths": {}, "components": {}}, {"chat-service": DOCUMENT})
    assert (
        merged["components"]["schemas"]["chat-service.Page"]["properties"]["next"]["$ref"]
        == "#/components/schemas/chat-service.Page"
    )


async def test_the_gateway_answers_its_own_page_before_any_service_is_up(gateway: Gateway) -> None:
    async with gateway.client() as http:
        assert (await http.get("/docs")).status_code == 200
