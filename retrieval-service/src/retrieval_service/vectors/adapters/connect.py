"""Opens the store that was asked for; the libraries of the others are not imported."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from shared.settings import SettingsError

from retrieval_service.vectors.owner import WAIT_S
from retrieval_service.vectors.port import VectorStore

_SERVER_TIMEOUT_S = 10


def edge(folder: Path) -> VectorStore:
    """Embedded."""
    from retrieval_service.vectors.adapters.edge import EdgeStore

    return EdgeStore(folder / "qdrant")


def qdrant_server(url: str, api_key: SecretStr | None) -> VectorStore:
    """A server."""
    from qdrant_client import AsyncQdrantClient

    from retrieval_service.vectors.adapters.qdrant import QdrantStore

    key = api_key.get_secret_value() if api_key else None
    return QdrantStore(
        lambda: AsyncQdrantClient(url=url, api_key=key, timeout=_SERVER_TIMEOUT_S, check_compatibility=False)
    )


def chroma(folder: Path, url: str | None, *, lock_wait_s: float = WAIT_S) -> VectorStore:
    """A server at `url`, else embedded. Raises: SettingsError when the extra is not installed."""
    try:
        from retrieval_service.vectors.adapters.chroma import ChromaStore
    except ImportError:
        raise SettingsError(
            "VECTOR_DB=chroma needs its library: `make run` installs it, and so do `uv sync --extra chroma` "
            "and `pip install chromadb`"
        ) from None
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if url is None:
        own = folder / "chroma"
        return ChromaStore(
            lambda: chromadb.PersistentClient(str(own), settings=settings),
            folder=own,
            lock_wait_s=lock_wait_s,
        )
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 8000)
    return ChromaStore(
        lambda: chromadb.HttpClient(parts.hostname or "", port, ssl=tls, settings=settings), folder=None
    )


def plugged_in(name: str) -> VectorStore | None:
    """A store of another package, which gives it a name in the entry-point group `atrium.vector_stores`: a
    class without arguments.
    """
    from importlib.metadata import entry_points

    found = next(iter(entry_points(group="atrium.vector_stores", name=name)), None)
    return None if found is None else found.load()()
