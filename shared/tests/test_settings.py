"""Settings say in one line what is wrong, and never the value."""

import pytest
from identities import KeyRing
from shared.settings import (
    ServiceSettings,
    SettingsError,
    embedding_model_id,
    load_settings,
    load_settings_or_exit,
)

GOOD_SECRET = "a-long-shared-secret-of-32-bytes-and-more"


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("ATRIUM_HOME", str(tmp_path))
    values = KeyRing().environment("billing-service", database_url="postgresql://me:hidden@127.0.0.1/atrium")
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite:///./webui.db", "sqlite is not supported"),
        ("mysql+pymysql://me:hidden@db/atrium", "mysql is not supported"),
        ("db.example/atrium", "this is no postgresql:// address"),
    ],
)
def test_another_database_gets_one_sentence_without_the_address(
    monkeypatch: pytest.MonkeyPatch, url: str, named: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError) as refusal:
        load_settings(ServiceSettings)
    text = str(refusal.value)
    assert f"DATABASE_URL: {named}" in text
    assert "set it to postgresql://user:password@host/database, or unset it" in text
    assert "\n" not in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    "url", ["postgresql://me@db/x", "postgresql+asyncpg://me@db/x", "postgres://me@db/x"]
)
def test_each_way_to_write_postgresql_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert load_settings(ServiceSettings).database_url.get_secret_value().startswith("postgresql")


@pytest.mark.parametrize("secret", ["your-secret-key", "x", "Your-Secret-Key", "k" * 31])
def test_a_weak_shared_secret_is_a_warning_in_dev_and_refused_in_prod(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", secret)
    load_settings_or_exit(ServiceSettings)
    assert "warning: JWT_SECRET_KEY is" in capsys.readouterr().err
    monkeypatch.setenv("ENV", "prod")
    with pytest.raises(SystemExit) as ending:
        load_settings_or_exit(ServiceSettings)
    assert ending.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "openssl rand -hex 32" in line
    assert secret.lower() not in line.lower().replace("jwt_secret_key", "") or len(secret) == 1


def test_a_good_shared_secret_is_silent_everywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", GOOD_SECRET)
    monkeypatch.setenv("ENV", "prod")
    assert load_settings_or_exit(ServiceSettings).env == "prod"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "name",
    ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "ALL-MINILM-L6-V2", "all-minilm-l6-v2"],
)
def test_the_built_in_embedding_model_is_known_by_each_of_its_names(name: str) -> None:
    assert embedding_model_id(name) == "all-minilm-l6-v2"
    assert embedding_model_id("nomic-embed-text") == "nomic-embed-text"
