"""What the supervisor says about the built-in model: a small JSON file that it replaces as things go on."""

from pathlib import Path
from typing import Any, cast

import orjson

from inference_service.providers.control_tokens import ControlTokens
from inference_service.providers.protocol import Json, Readiness, Status

_STATUS: dict[str, Status] = {
    "downloading": "loading",
    "starting": "loading",
    "ready": "ready",
    "failed": "down",
}
_UNREPORTED = Readiness("loading", "nothing has started the built-in model yet; `make run` does")
_PROGRESS = ("downloaded_bytes", "total_bytes", "eta_s")


class LocalModelStatus:
    """Reads the file again only when it has changed; a stat costs about a microsecond."""

    def __init__(self, path: Path | None, *, default_model: str) -> None:
        self.model = default_model
        self.control_tokens = ControlTokens()
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._readiness: Readiness | None = None

    def read(self) -> Readiness | None:
        """None when no supervisor reports: then only asking the server tells."""
        if self._path is None:
            return None
        try:
            stat = self._path.stat()
            if (stat.st_mtime_ns, stat.st_ino) != self._seen:
                self._take(orjson.loads(self._path.read_bytes()))
                self._seen = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            self._seen = None
            self._readiness = _UNREPORTED
        except (OSError, orjson.JSONDecodeError):
            # Half-written or briefly unreadable: what was read last still holds.
            return self._readiness
        return self._readiness

    def _take(self, fields: Any) -> None:
        if not isinstance(fields, dict):
            return
        report = cast("Json", fields)
        model = report.get("model")
        if isinstance(model, str) and model:
            self.model = model
        tokens = report.get("control_tokens")
        if isinstance(tokens, list) and tokens:
            self.control_tokens = ControlTokens(str(token) for token in cast("list[object]", tokens))
        state = str(report.get("state"))
        status = _STATUS.get(state, "down")
        detail = report.get("detail")
        progress = (
            {"state": state, **{name: report.get(name) for name in _PROGRESS}}
            if status == "loading"
            else None
        )
        self._readiness = Readiness(status, detail if isinstance(detail, str) and detail else None, progress)
