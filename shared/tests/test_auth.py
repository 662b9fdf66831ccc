"""Tokens: what a service accepts, and what it refuses."""

import time

import jwt
import pytest
from identities import KeyRing, make_principal
from shared.arrows import ARROWS, callers_of
from shared.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from shared.auth.principal import Principal, UsageMode
from shared.auth.tokens import USER_KEY_ID, TokenVerifier, UserTokens
from shared.errors import Forbidden, Unauthenticated

KEYS = KeyRing()


def verifier(audience: str = "billing-service", secret: str | None = None) -> TokenVerifier:
    return TokenVerifier(jwks=KEYS.jwks, audience=audience, callers=callers_of(audience), hs256_secret=secret)


def test_a_user_token_gives_back_its_principal() -> None:
    principal = make_principal(Role.FINANCE, models=("a", "b"), rpm=5, usage_mode=UsageMode.LOCAL)
    assert verifier().verify(KEYS.user_token(principal)) == principal


def test_a_token_of_a_gateway_before_usage_modes_is_read() -> None:
    principal = make_principal()
    claims = {name: value for name, value in principal.to_claims().items() if name != "usage_mode"}
    assert Principal.from_claims(claims) == principal
    assert principal.usage_mode is UsageMode.HYBRID


def test_a_service_hands_the_usage_mode_of_the_person_on() -> None:
    principal = make_principal(usage_mode=UsageMode.LOCAL)
    header = KEYS.service_headers("chat-service", target="inference-service", principal=principal)[
        "authorization"
    ]
    assert verifier("inference-service").verify(header.removeprefix("Bearer ")).usage_mode is UsageMode.LOCAL


def test_scopes_only_ever_narrow_the_role() -> None:
    claims = {**make_principal(Role.USER).to_claims(), "scopes": ["models:use", "prices:write"]}
    assert Principal.from_claims(claims).permissions == {Permission.MODELS_USE}


def test_an_expired_token_is_refused_even_when_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = verifier()
    token = KEYS.user_token(make_principal(), ttl_s=1)
    subject.verify(token)
    deadline = time.time() + 10
    while time.time() < deadline:
        try:
            subject.verify(token)
        except Unauthenticated:
            return
        time.sleep(0.2)
    pytest.fail("the token outlived its expiry and leeway")


def test_a_service_token_acts_for_its_principal_at_its_target_only() -> None:
    principal = make_principal()
    header = KEYS.service_headers("chat-service", target="inference-service", principal=principal)[
        "authorization"
    ]
    token = header.removeprefix("Bearer ")
    acting = verifier("inference-service").verify(token)
    assert (acting.user_id, acting.service) == (principal.user_id, "chat-service")
    with pytest.raises(Unauthenticated):
        verifier("billing-service").verify(token)


def test_a_service_acts_with_no_more_than_its_arrow_needs() -> None:
    administrator = make_principal(Role.ADMIN)
    header = KEYS.service_headers("chat-service", target="billing-service", principal=administrator)[
        "authorization"
    ]
    acting = verifier("billing-service").verify(header.removeprefix("Bearer "))
    assert acting.user_id == administrator.user_id
    assert acting.permissions == {Permission.USAGE_READ}


@pytest.mark.parametrize(
    ("caller", "target"),
    [
        ("billing-service", "inference-service"),
        ("retrieval-service", "billing-service"),
        ("agent-service", "chat-service"),
    ],
)
def test_a_service_that_does_not_call_another_is_not_believed_there(caller: str, target: str) -> None:
    header = KEYS.service_headers(caller, target=target, principal=make_principal(Role.ADMIN))[
        "authorization"
    ]
    with pytest.raises(Unauthenticated):
        verifier(target).verify(header.removeprefix("Bearer "))


def test_no_arrow_permits_a_person_to_be_changed() -> None:
    readers = {
        Permission.USERS_WRITE,
        Permission.WALLETS_WRITE,
        Permission.PRICES_WRITE,
        Permission.BUDGETS_WRITE,
        Permission.KEYS_MANAGE,
    }
    assert not any(permissions & readers for permissions in ARROWS.values())


def test_a_bare_service_token_holds_no_permission() -> None:
    header = KEYS.service_headers("chat-service", target="billing-service")["authorization"]
    principal = verifier().verify(header.removeprefix("Bearer "))
    assert principal.permissions == frozenset()
    with pytest.raises(Forbidden):
        _ = principal.actor_id


def test_a_service_key_cannot_sign_user_tokens() -> None:
    claims = {
        **make_principal(Role.ADMIN).to_claims(),
        "iss": "atrium",
        "aud": "atrium",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
    }
    forged = jwt.encode(claims, KEYS.pem("chat-service"), algorithm="EdDSA", headers={"kid": USER_KEY_ID})
    with pytest.raises(Unauthenticated):
        verifier().verify(forged)


@pytest.mark.parametrize(
    "header", [{"alg": "none", "kid": USER_KEY_ID}, {"alg": "HS256", "kid": USER_KEY_ID}]
)
def test_algorithm_confusion_is_refused(header: dict[str, str]) -> None:
    claims = {
        **make_principal().to_claims(),
        "iss": "atrium",
        "aud": "atrium",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
    }
    key = "" if header["alg"] == "none" else "x" * 32
    token = jwt.encode(claims, key, algorithm=header["alg"], headers={"kid": header["kid"]})
    with pytest.raises(Unauthenticated):
        verifier().verify(token)


def test_hs256_counts_only_when_a_secret_is_set() -> None:
    secret = "s" * 40
    token = UserTokens(signing_key_pem=KEYS.pem(USER_KEY_ID), hs256_secret=secret).sign(make_principal())
    assert verifier(secret=secret).verify(token).role is Role.USER
    with pytest.raises(Unauthenticated):
        verifier().verify(token)


def test_the_read_only_administrator_holds_no_write_permission() -> None:
    assert not [
        permission
        for permission in ROLE_PERMISSIONS[Role.ADMIN_READONLY]
        if "write" in permission or "manage" in permission
    ]


def test_finance_never_reads_chats_of_others_by_a_wider_permission_than_a_user() -> None:
    extra = ROLE_PERMISSIONS[Role.FINANCE] - ROLE_PERMISSIONS[Role.USER]
    assert not [permission for permission in extra if permission.startswith("chats")]
