"""Nothing that opens a door reaches a log."""

import logging

import orjson
import pytest
from shared.logs import JsonFormatter, redact


@pytest.mark.parametrize(
    "secret",
    [
        "atr-0123456789abcdef",
        "sk-proj-0123456789",
        "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
        "Bearer abcdefghijklmnop",
        "postgresql://user:hunter22@db/atrium",
    ],
)
def test_credentials_are_redacted_in_text(secret: str) -> None:
    cleaned = redact(f"call failed: {secret} was refused")
    assert secret not in cleaned
    assert "hunter22" not in cleaned


def test_extras_with_a_secret_name_are_redacted() -> None:
    record = logging.makeLogRecord({"msg": "signed in", "password": "hunter22", "user": "ada"})
    entry = orjson.loads(JsonFormatter("gateway").format(record))
    assert entry["password"] == "[redacted]"
    assert entry["user"] == "ada"
