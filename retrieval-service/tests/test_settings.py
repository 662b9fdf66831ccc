"""Settings that cannot work are refused at the start, in one sentence, with exit status 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from identities import KeyRing


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    keys = KeyRing().environment("retrieval-service", database_url="postgresql://nobody@127.0.0.1:1/none")
    code = "from retrieval_service.main import create_app; create_app(); print('started')"
    environment = {"PATH": os.environ["PATH"], **keys, **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "name",
    ["all-minilm-l6-v2", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "ALL-MINILM-L6-V2"],
)
def test_the_built_in_model_has_many_spellings(name: str) -> None:
    assert started(EMBEDDING_MODEL=name).stdout == "started\n"


def test_another_model_is_refused_in_one_sentence() -> None:
    refused = started(EMBEDDING_MODEL="text-embedding-3-small")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "EMBEDDING_MODEL" in line
    assert "all-minilm-l6-v2" in line


def test_a_store_whose_library_is_missing_names_a_command_that_works(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['chromadb'] = None\n"
        "from pathlib import Path\n"
        "from retrieval_service.vectors.choice import open_vector_store\n"
        f"open_vector_store(name='chroma', folder=Path({str(tmp_path)!r}), qdrant_url=None, "
        "qdrant_api_key=None, chroma_url=None)\n"
    )
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    words = refused.stderr.splitlines()[-1]
    assert "SettingsError: VECTOR_DB=chroma needs its library" in words
    assert "uv sync --extra chroma" in words
