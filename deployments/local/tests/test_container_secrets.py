"""`secrets`: the file that Docker Compose reads."""

import json
import stat
from pathlib import Path

from atrium_local.container_secrets import complete_file, container_secrets, print_secrets
from atrium_local.dotenv import read_dotenv
from atrium_local.services import SERVICES, service_named
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dotenv import dotenv_values
from identities import make_principal
from shared.arrows import callers_of
from shared.auth.tokens import ServiceTokens, TokenVerifier


def test_two_installations_share_no_secret() -> None:
    first, second = container_secrets({}), container_secrets({})
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())
    assert all(first.values())


def test_what_is_printed_is_read_back_as_it_was(capsys, tmp_path: Path) -> None:
    print_secrets()
    path = tmp_path / ".env"
    path.write_text(capsys.readouterr().out)
    values = read_dotenv(path)
    assert values == dotenv_values(path)
    assert load_pem_private_key(values["USER_SIGNING_KEY"].encode(), None)


def test_the_keys_of_two_services_fit_together() -> None:
    values = container_secrets({})
    chat = service_named("chat-service")
    tokens = ServiceTokens(signing_key_pem=values[chat.signing_key_variable], service=chat.name)
    verifier = TokenVerifier(
        jwks=values["TOKEN_JWKS"], audience="billing-service", callers=callers_of("billing-service")
    )
    principal = make_principal()
    token = tokens.header_for("billing-service", principal).decode().removeprefix("Bearer ")
    assert verifier.verify(token).user_id == principal.user_id


def test_a_file_of_an_older_version_gets_only_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nPUBLIC_URL=https://chat.example.com\nREDIS_PASSWORD=kept\n")
    complete_file(path)
    first = path.read_text()
    assert first.startswith("# mine\nPUBLIC_URL=https://chat.example.com\nREDIS_PASSWORD=kept\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    complete_file(path)
    assert path.read_text() == first


def test_a_new_signing_key_reaches_the_key_set(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    complete_file(path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("CHAT_SIGNING_KEY=")]
    path.write_text("\n".join(lines) + "\n")
    before = json.loads(read_dotenv(path)["TOKEN_JWKS"])["keys"]
    complete_file(path)
    after = json.loads(read_dotenv(path)["TOKEN_JWKS"])["keys"]
    assert [key["kid"] for key in before if key not in after] == ["chat-service"]
    assert len(after) == len(SERVICES) + 1
