"""The built-in model as a process of its own: fetches its weights, serves them by llama.cpp, tells its state
in a file.
"""

import contextlib
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from pydantic import Field, SecretStr
from shared.ids import random_secret

from atrium_local.adapters.llama import ServerOptions, start_server
from atrium_local.catalogue import MODELS, model_named
from atrium_local.chat_template import adapt
from atrium_local.errors import LocalError
from atrium_local.gguf import control_tokens, read_metadata
from atrium_local.progress import ModelStatus, StatusFile
from atrium_local.settings import LocalSettings
from atrium_local.weights import Store, ensure_model, ensure_url

_CONTEXT_KEY = "{architecture}.context_length"


class ModelServerSettings(LocalSettings):
    """What only the model server's own process reads."""

    local_model_api_key: SecretStr | None = None
    local_model_status_path: Path | None = None
    model_host: str = Field(default="127.0.0.1", description="address the built-in model server binds")

    @property
    def status_path(self) -> Path:
        """The file others read the state from."""
        return self.local_model_status_path or self.atrium_home / "run" / "model.json"


def find_weights(settings: LocalSettings, status: StatusFile) -> Path:
    """The GGUF file to serve: your own, or the built-in one, fetched when needed.

    Raises: LocalError.
    """
    if settings.model_path is not None:
        if not settings.model_path.is_file():
            raise LocalError(
                f"MODEL_PATH={settings.model_path} is not a file: point it at a GGUF model, or unset it."
            )
        return settings.model_path
    store = Store.of(settings)
    if settings.model_url is not None:
        return ensure_url(store, settings.model_url, settings.model_sha256, report=status.show)
    files = ensure_model(store, model_named(settings.atrium_model), report=status.show)
    return files["model.gguf"]


def options_for(settings: ModelServerSettings, model_path: Path) -> ServerOptions:
    """The server's options, within what the model was trained for.

    Raises: LocalError when the file is no model.
    """
    metadata = read_metadata(model_path)
    trained_tokens = metadata.get(_CONTEXT_KEY.format(architecture=metadata.get("general.architecture")))
    per_answer = int(trained_tokens) if isinstance(trained_tokens, int) else settings.model_context_tokens
    template = metadata.get("tokenizer.chat_template")
    key = settings.local_model_api_key
    return ServerOptions(
        model_path=model_path,
        model_id=settings.model_id,
        host=settings.model_host,
        port=settings.model_port,
        api_key=key.get_secret_value() if key else random_secret(),
        context_tokens=min(settings.model_context_tokens, per_answer * settings.model_parallel),
        parallel=settings.model_parallel,
        threads=settings.model_threads,
        chat_template=adapt(template) if isinstance(template, str) else None,
        sampling=next((model.sampling for model in MODELS if model.id == settings.model_id), None),
    )


def serve(settings: ModelServerSettings) -> None:
    """Fetch, load, serve until SIGTERM.

    Raises: LocalError.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_leave, settings.status_path))
    model_id = settings.model_id
    model_path = find_weights(settings, StatusFile(settings.status_path, model_id))
    size = model_path.stat().st_size
    tokens = control_tokens(model_path)
    status = ModelStatus(
        state="starting", model=model_id, downloaded_bytes=size, total_bytes=size, control_tokens=tokens
    )
    status.write(settings.status_path)
    server = start_server(options_for(settings, model_path))
    status.state = "ready"
    status.write(settings.status_path)
    print(f"{model_id} answers on {settings.model_host}:{settings.model_port}", flush=True)
    stop.wait()
    del server


def _leave(status_path: Path, *_signal: object) -> None:
    """End at once: the server keeps nothing worth saving, and its threads would hold the process
    for seconds.
    """
    with contextlib.suppress(OSError):
        status_path.unlink()
    os._exit(0)


def main() -> int:
    """`python -m atrium_local.model_server`."""
    settings = ModelServerSettings()
    try:
        serve(settings)
    except LocalError as error:
        print(error, file=sys.stderr, flush=True)
        ModelStatus(state="failed", model=settings.model_id, detail=str(error)).write(settings.status_path)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
