"""Which passwords are taken, and that what looks the same is the same."""

import unicodedata

import pytest
from gateway_service.signin.password_rules import accepted
from gateways.running import PASSWORD, Gateway, Person

SIGN_UP, SIGN_IN = "/api/v1/auth/signup", "/api/v1/auth/signin"


@pytest.mark.parametrize(
    "password",
    [
        "12345678", "123456789", "87654321", "        ", "aaaaaaaa", "abababab", "password", "Password1!",
        "PASSWORD123", "qwertyuiop",
        "letmein123", "e\u0301e\u0301e\u0301e\u0301",
    ],
)  # fmt: skip
def test_what_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="password"):
        accepted(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "pass the salt please", "Zürich-Genève 07", "x8#kQ2!v", "密码是一个长句子吧"],
)
def test_others_are_taken(password: str) -> None:
    assert accepted(password) == password


def test_ones_own_address_is_no_password() -> None:
    with pytest.raises(ValueError, match="address"):
        accepted("Ada@Example.com", own_words=("Ada", "ada@example.com"))


async def test_the_rules_hold_for_sign_up_and_change(gateway: Gateway, member: Person) -> None:
    async with gateway.client() as http:
        for password in ("12345678", " " * 8, "linus@example.com"):
            form = {"name": "Linus", "email": "linus@example.com", "password": password}
            refused = await http.post(SIGN_UP, json=form)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == "body.password"
            assert password.strip() == "" or password not in str(refused.json()["errors"])
    change = {"current_password": PASSWORD, "new_password": "12345678"}
    assert (await member.post("/api/v1/auth/password", change)).status_code == 422


async def test_each_rule_is_told_by_a_code_and_in_words_of_its_own(gateway: Gateway) -> None:
    form = {"name": "Linus", "email": "linus@example.com", "password": "four words that differ"}
    async with gateway.client() as http:
        for field, value, code in (
            ("email", "linus", "email_not_valid"),
            ("password", "abababab", "password_repeats"),
            ("password", "12345678", "password_common"),
            ("password", "linus@example.com", "password_is_own_name"),
            ("password", "e\u0301" * 5, "password_too_short"),
        ):
            refused = await http.post(SIGN_UP, json={**form, field: value})
            (problem,) = refused.json()["errors"]
            assert (problem["field"], problem["code"]) == (f"body.{field}", code)
            assert "error" not in problem["detail"]


async def test_a_password_is_the_same_however_its_letters_are_composed(
    gateway: Gateway, admin: Person
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Crème brûlée") for form in ("NFC", "NFD"))
    assert composed != decomposed
    async with gateway.client() as http:
        made = await http.post(
            SIGN_UP, json={"name": "Zoë", "email": "zoe@example.com", "password": decomposed}
        )
        assert made.status_code == 201
        for password in (composed, decomposed):
            assert (
                await http.post(SIGN_IN, json={"email": "zoe@example.com", "password": password})
            ).status_code == 200


async def test_a_hash_from_before_composition_counts_still_opens(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    decomposed = unicodedata.normalize("NFD", "Crème brûlée")
    old = gateway.state.accounts._passwords._hasher.hash(decomposed)
    await gateway.fetch("UPDATE password SET hash = $1 WHERE user_id = $2", old, member.user["id"])
    assert (
        await member.http.post(SIGN_IN, json={"email": member.email, "password": decomposed})
    ).status_code == 200
