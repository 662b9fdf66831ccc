"""Walks every route of the gateway: public by name or guarded; every credential route limited."""

from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from gateway_service.main import PUBLIC_PATHS, create_app
from gateway_service.settings import GatewaySettings
from gateways.running import KEYS, PASSWORD, Gateway, StartGateway
from shared.app.service import PUBLIC_PATHS as PUBLIC_EVERYWHERE
from shared.auth.guards import Require, current_principal

# Takes a credential, but the dependency that reads it limits refused ones by address already.
CREDENTIAL_ROUTES = {
    "/api/v1/auth/signup": "sign_up",
    "/api/v1/auth/signin": "sign_in",
    "/api/v1/auth/refresh": "refresh",
    "/api/v1/auth/signout": "sign_out",
    "/api/v1/auth/token": "swap_key",
    "/api/v1/auth/password": "change_password",
}


def calls(dependant: Any) -> list[Any]:
    return [call for each in dependant.dependencies for call in (each.call, *calls(each))]


def own_app() -> Any:
    settings = GatewaySettings(
        **KEYS.settings_fields("gateway", database_url="postgresql://nobody:x@127.0.0.1:9/x")
    )  # type: ignore[arg-type]
    return create_app(settings)._fallback


def test_every_route_is_public_by_name_or_guarded() -> None:
    seen = set()
    for route in iter_route_contexts(own_app().api.routes):
        path = str(route.path)
        seen.add(path)
        if path in PUBLIC_PATHS | PUBLIC_EVERYWHERE:
            continue
        assert isinstance(route.original_route, APIRoute), path
        guards = calls(route.dependant)
        assert current_principal in guards, f"{path} lets anyone in"
        assert path == "/api/v1/auth/token" or any(isinstance(call, Require) for call in guards), (
            f"{path} asks for no permission"
        )
    assert seen >= PUBLIC_PATHS, "a public path that no route has"


def test_every_route_that_takes_a_credential_is_limited() -> None:
    app = own_app()
    assert app.state.credential_limits.guarded == set(CREDENTIAL_ROUTES.values())
    public_writes = {
        str(route.path)
        for route in iter_route_contexts(app.api.routes)
        if str(route.path) in PUBLIC_PATHS and set(route.methods or ()) - {"GET", "HEAD"}
    }
    assert public_writes - {"/{path:path}"} <= set(CREDENTIAL_ROUTES), "the catch-all answers no write"


BODIES: dict[str, Any] = {
    "/api/v1/auth/signup": {"name": "x", "email": "x@example.com", "password": PASSWORD},
    "/api/v1/auth/signin": {"email": "x@example.com", "password": PASSWORD},
    "/api/v1/auth/password": {"current_password": "wrong", "new_password": PASSWORD},
}


@pytest.mark.parametrize("path", sorted(CREDENTIAL_ROUTES))
async def test_each_credential_route_answers_429_by_address_when_called_too_often(
    start_gateway: StartGateway, path: str
) -> None:
    async with start_gateway(
        signin_limit="5/minute", signup_limit="5/minute", refresh_limit="5/minute"
    ) as gateway:
        person = await gateway.sign_up("ada")
        key = (await person.post("/api/v1/auth/api-keys", {"name": "robot"})).json()["key"]
        credential = key if path.endswith("token") else person.token
        headers = {"authorization": f"Bearer {credential}"}
        answers = []
        for n in range(6):
            body = {
                **BODIES.get(path, {}),
                **({"email": f"x{n}@example.com"} if path.endswith(("signup", "signin")) else {}),
            }
            answers.append(await person.http.post(path, json=body or None, headers=headers))
    refused = answers[-1]
    assert answers[0].status_code != 429
    assert refused.status_code == 429, [answer.status_code for answer in answers]
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.json()["code"] == "too_many_attempts"


async def test_one_account_is_protected_however_its_address_is_written(start_gateway: StartGateway) -> None:
    async with start_gateway(signin_account_limit="3/minute") as gateway, gateway.client() as http:
        await gateway.sign_up("ada")

        async def sign_in(email: str) -> int:
            return (
                await http.post("/api/v1/auth/signin", json={"email": email, "password": "wrong"})
            ).status_code

        statuses = [
            await sign_in(email)
            for email in ("ada@example.com", "ADA@example.com", "Ada@Example.com", "ada@example.com")
        ]
        other = await sign_in("grace@example.com")
    assert statuses == [401, 401, 401, 429]
    assert other == 401


async def test_a_malformed_limit_stops_the_start() -> None:
    with pytest.raises(ValueError, match="a lot"):
        create_app(
            GatewaySettings(
                **KEYS.settings_fields("gateway", database_url="postgresql://nobody:x@127.0.0.1:9/x"),  # type: ignore[arg-type]
                signin_limit="a lot",
            )
        )


async def test_the_environment_cannot_switch_the_limits_off(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATELIMIT_ENABLED", "false")
    async with start_gateway(signin_limit="1/minute") as gateway, gateway.client() as http:
        form = {"email": "x@example.com", "password": PASSWORD}
        statuses = [(await http.post("/api/v1/auth/signin", json=form)).status_code for _ in range(2)]
    assert statuses == [401, 429]


async def test_no_route_answers_without_a_token(gateway: Gateway) -> None:
    async with gateway.client() as http:
        for method, path in (
            ("GET", "/api/v1/auth/me"),
            ("GET", "/api/v1/admin/users"),
            ("POST", "/api/v1/auth/token"),
            ("GET", "/v1/models"),
        ):
            answer = await http.request(method, path)
            assert answer.status_code == 401, path


async def test_the_own_routes_draw_from_the_callers_quota(start_gateway: StartGateway) -> None:
    async with start_gateway(user_rpm=3) as gateway:
        person = await gateway.sign_up("ada")
        answers = [await person.get("/api/v1/auth/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
