"""Nothing that opens a door reaches a log."""

import logging
from datetime import datetime

import orjson
import pytest
from shared.logs import AccessLog, JsonFormatter, redact


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


async def test_a_clock_that_is_set_back_leaves_times_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    access_log = AccessLog("gateway")
    caplog.set_level(logging.INFO, logger="shared.access")
    for now_s in (1_800_000_000.25, 1_799_999_000.5):
        monkeypatch.setattr("shared.logs.time.time", lambda now_s=now_s: now_s)
        access_log.write(request_id="0123456789", method="GET", route="/", status=200, duration_s=0.1)
    access_log.flush()
    times = [orjson.loads(line)["time"] for line in capsys.readouterr().err.splitlines()]
    assert [datetime.fromisoformat(each).timestamp() for each in times] == [1_800_000_000.25, 1_799_999_000.5]
