"""The words of the first documents work as they stand there: their environment blocks start the platform, and
it does its work.

Only addresses are other ones: those of this machine.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from atrium_local.settings import LocalSettings
from gateway_service.settings import GatewaySettings
from identities import KeyRing
from inference_service.settings import InferenceSettings
from retrieval_service.settings import RetrievalSettings
from shared.settings import environment, load_settings
from suite.documents import ended, search, upload
from suite.people import Person
from suite.ports import free_port
from suite.provider import Provider
from suite.seeds import OLLAMA_MODEL, SeedStack, ollama
from suite.stack import set_prices

PRICE_NANO = (1_000_000_000, 3_000_000_000)

# As in the document, without its addresses.
SERVICES_BLOCK = """
JWT_SECRET_KEY=your-secret-key
ENABLE_OLLAMA_API=true
ENABLE_OPENAI_API=true
VECTOR_DB=chroma
EMBEDDING_MODEL=all-MiniLM-L6-v2
ENABLE_RAG_HYBRID_SEARCH=true
"""
APPLICATION_BLOCK = """
PORT=8080
ENV=dev
WEBUI_NAME=mAI
WEBUI_URL=http://localhost
OLLAMA_BASE_URL=http://localhost:11434
OPENAI_API_KEY=sk-...
HF_HUB_OFFLINE=1
DATABASE_URL=sqlite:///./webui.db
OPENROUTER_USAGE_SYNC_INTERVAL=600
OPENROUTER_USAGE_SYNC_DAYS_BACK=1
LOG_LEVEL=INFO
"""


def variables(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.strip().splitlines())


def up(home: Path, block: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`make run` with these variables, which must end by itself."""
    command = [sys.executable, "-m", "atrium_local", "up"]
    settings = {**environment(), "ATRIUM_HOME": str(home), **block}
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeedStack]:
    provider = Provider()
    provider.start()
    with ollama() as ollama_url:
        addresses = {"OLLAMA_BASE_URLS": ollama_url, "OPENAI_API_BASE_URLS": provider.base_url}
        stack = SeedStack(
            tmp_path_factory.mktemp("seed") / "home", {**variables(SERVICES_BLOCK), **addresses}
        )
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
            provider.stop()


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_the_platform_does_its_work_with_the_block_of_the_services(seeded: SeedStack) -> None:
    assert "Warning: JWT_SECRET_KEY is the example of the documentation" in seeded.output_path.read_text()
    person = Person.sign_up(seeded.base_url)
    assert person.role == "admin"
    models = {model["id"] for model in person.get("/v1/models")["data"]}
    assert {"fake-echo", OLLAMA_MODEL} <= models
    set_prices(person.http, {"fake-echo": PRICE_NANO, OLLAMA_MODEL: PRICE_NANO})

    turn = person.chat("fake-echo").post("the words of the seed")
    assert (turn.status, turn.text) == ("complete", "the words of the seed")
    assert turn.usage["cost_nano"] > 0
    person.usage_settles_at(turn.usage["cost_nano"])
    assert person.chat(OLLAMA_MODEL).post("hello").status == "complete"

    file = upload(
        person, "tower.md", b"# Tower\n\nThe keeper of the tower is called Ottilie.", "text/markdown"
    )
    document = ended(person, file["document_id"])
    assert document["stage"] == "ready", document
    found = search(person, "Who keeps the tower?", k=1)
    assert "Ottilie" in found["data"][0]["text"]
    assert (seeded.home.root / "data" / "vectors" / "chroma").is_dir()


def test_the_example_key_is_refused_in_production(tmp_path: Path) -> None:
    done = up(tmp_path, {**variables(SERVICES_BLOCK), "ENV": "prod"})
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "JWT_SECRET_KEY is the example of the documentation" in line
    assert "ENV=prod takes no other" in line


def test_the_database_of_the_other_block_gets_its_one_sentence(tmp_path: Path) -> None:
    done = up(tmp_path, variables(APPLICATION_BLOCK))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(
        "Atrium cannot start: DATABASE_URL: sqlite is not supported: Atrium keeps its ledger and locks in "
        "PostgreSQL only"
    )


def test_the_other_words_of_that_block_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATRIUM_HOME", str(tmp_path))
    for name, value in variables(APPLICATION_BLOCK).items():
        if name != "DATABASE_URL":
            monkeypatch.setenv(name, value)
    local = LocalSettings()
    assert (local.port, local.hf_hub_offline, local.env) == (8080, True, "dev")
    for service, settings_class in (("gateway", GatewaySettings), ("inference-service", InferenceSettings)):
        for name, value in KeyRing().environment(service, database_url="postgresql://a@127.0.0.1/b").items():
            monkeypatch.setenv(name, value)
        settings = load_settings(settings_class)
        assert (settings.webui_name, settings.public_url, settings.log_level) == (
            "mAI",
            "http://localhost",
            "INFO",
        )
        if isinstance(settings, InferenceSettings):
            assert [endpoint.base_url for endpoint in settings.ollama_endpoints()] == [
                "http://localhost:11434"
            ]
            [bought] = settings.openai_endpoints()
            assert (bought.base_url, bought.api_key is not None) == ("https://api.openai.com/v1", True)


@pytest.mark.parametrize("store", ["chroma", "qdrant"])
def test_both_stores_and_the_model_are_called_as_the_document_calls_them(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATRIUM_HOME", str(tmp_path))
    for name, value in {**variables(SERVICES_BLOCK), "VECTOR_DB": store}.items():
        monkeypatch.setenv(name, value)
    for name, value in (
        KeyRing().environment("retrieval-service", database_url="postgresql://a@127.0.0.1/b").items()
    ):
        monkeypatch.setenv(name, value)
    settings = load_settings(RetrievalSettings)
    assert (settings.vector_db, settings.embedding_model) == (store, "all-minilm-l6-v2")


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_platform_does_its_work_with_the_other_block_and_the_other_store(tmp_path: Path) -> None:
    """All of the application's block but its database, with one Ollama and no key that anybody
    would accept.
    """
    block = {name: value for name, value in variables(APPLICATION_BLOCK).items() if name != "DATABASE_URL"}
    with ollama() as url:
        block |= {
            "OLLAMA_BASE_URL": url,
            "VECTOR_DB": "qdrant",
            "PORT": str(free_port()),
            "ENABLE_OPENAI_API": "false",
        }
        stack = SeedStack(tmp_path / "home", block, port=int(block["PORT"]))
        try:
            stack.start()
            person = Person.sign_up(stack.base_url)
            assert person.get("/api/v1/auth/config")["name"] == "mAI"
            set_prices(person.http, {OLLAMA_MODEL: PRICE_NANO})
            turn = person.chat(OLLAMA_MODEL).post("hello")
            assert turn.status == "complete"
            person.usage_settles_at(turn.usage["cost_nano"])
        finally:
            stack.stop()
