"""Lists of providers in the environment."""

from typing import Any

import pytest
from identities import KeyRing
from inference_service.settings import InferenceSettings
from pydantic import ValidationError


def settings(keys: KeyRing, monkeypatch: pytest.MonkeyPatch, **variables: str) -> InferenceSettings:
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_API_KEYS",
        "OPENAI_API_BASE_URLS",
        "OLLAMA_BASE_URL",
        "OLLAMA_BASE_URLS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        **keys.environment("inference-service", database_url="postgresql://x"),
        **variables,
    }.items():
        monkeypatch.setenv(name, value)
    return InferenceSettings(_env_file=None)  # pyright: ignore[reportCallIssue] - pydantic-settings' own parameter


def test_keys_line_up_with_addresses(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        keys, monkeypatch, OPENAI_API_BASE_URLS="http://a/v1; https://b/v1/;http://c", OPENAI_API_KEYS=";kb"
    ).openai_endpoints()
    assert [(entry.base_url, entry.api_key and entry.api_key.get_secret_value()) for entry in found] == [
        ("http://a/v1", None),
        ("https://b/v1", "kb"),
        ("http://c", None),
    ]


def test_a_key_alone_means_openai_itself(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    (endpoint,) = settings(keys, monkeypatch, OPENAI_API_KEY="sk-1").openai_endpoints()
    assert endpoint.base_url == "https://api.openai.com/v1"
    assert "sk-1" not in repr(endpoint)


def test_nothing_set_means_no_provider_and_false_switches_off(
    keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(keys, monkeypatch).openai_endpoints() == []
    off = settings(
        keys,
        monkeypatch,
        ENABLE_OPENAI_API="false",
        OPENAI_API_KEYS="k",
        ENABLE_OLLAMA_API="false",
        OLLAMA_BASE_URLS="http://o",
    )
    assert (off.openai_endpoints(), off.ollama_endpoints()) == ([], [])


def test_the_singular_names_work(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    (endpoint,) = settings(keys, monkeypatch, OLLAMA_BASE_URL="http://127.0.0.1:11434/").ollama_endpoints()
    assert endpoint.base_url == "http://127.0.0.1:11434"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ENABLE_OLLAMA_API": "true"}, "OLLAMA_BASE_URLS is empty"),
        ({"OPENAI_API_BASE_URLS": "ftp://x"}, "not an http"),
        ({"OPENAI_API_BASE_URLS": "http://a", "OPENAI_API_KEYS": "1;2"}, "more entries"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    keys: KeyRing, monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(keys, monkeypatch, **variables)
