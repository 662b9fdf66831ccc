"""Which vector store the settings ask for."""

from pathlib import Path

from pydantic import SecretStr
from shared.settings import SettingsError

from retrieval_service.vectors.adapters import connect
from retrieval_service.vectors.port import VectorStore


def open_vector_store(
    *,
    name: str,
    folder: Path,
    qdrant_url: str | None,
    qdrant_api_key: SecretStr | None,
    chroma_url: str | None,
) -> VectorStore:
    """The store, not yet opened; `folder` is where embedded ones keep their data.

    Raises:
        SettingsError: nobody knows the name, or its library is missing.
    """
    match name:
        case "qdrant":
            return (
                connect.edge(folder)
                if qdrant_url is None
                else connect.qdrant_server(qdrant_url, qdrant_api_key)
            )
        case "chroma":
            return connect.chroma(folder, chroma_url)
        case _:
            plugged = connect.plugged_in(name)
    if plugged is None:
        raise SettingsError(
            f"VECTOR_DB={name} is unknown: choose qdrant (embedded, or a server by QDRANT_URL) or chroma"
        )
    return plugged
