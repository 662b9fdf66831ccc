"""JSON logs, one line an event, with the request id and without secrets."""

import asyncio
import logging
import re
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)

_SECRET_NAMES = re.compile(r"password|secret|token|authorization|api_?key|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?:atr|sk)-[A-Za-z0-9_-]{8,}"  # API keys, ours and the usual providers'
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"  # tokens
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user:password@ of an address
)
_FLUSH_S = 0.2
_BATCH_MAX = 200
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(value: str) -> str:
    """`value` with everything that looks like a credential replaced."""
    return _SECRET_TEXT.sub("[redacted]", value)


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, request_id, and the record's own extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if (request_id := request_id_var.get()) is not None:
            entry["request_id"] = request_id
        for name, value in vars(record).items():
            if name not in _STANDARD and not name.startswith("_"):
                entry[name] = "[redacted]" if _SECRET_NAMES.search(name) else _plain(value)
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(entry, default=str).decode()


def _plain(value: object) -> object:
    return redact(value) if isinstance(value, str) else value


def setup_logging(*, service: str, level: str) -> None:
    """All loggers of the process write JSON to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # One line a request is written by shared.app.asgi, with the request id.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)


class AccessLog:
    """One line a request, written in batches: formatting costs 2 us and the system call is shared."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lines: list[str] = []
        self._second = 0.0
        self._prefix = ""
        self._log = logging.getLogger("shared.access")

    def write(self, *, request_id: str, method: str, route: str, status: int, duration_s: float) -> None:
        """Queue one line; call it on a running event loop."""
        if not self._log.isEnabledFor(logging.INFO):
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        now_s = time.time()
        if not 0.0 <= now_s - self._second < 1.0:
            self._second = float(int(now_s))
            self._prefix = datetime.fromtimestamp(self._second, UTC).strftime('{"time":"%Y-%m-%dT%H:%M:%S.')
        # Written by hand: every part is a number or was checked to be plain where it came from, and the hop
        # pays for each microsecond.
        self._lines.append(
            f'{self._prefix}{int((now_s - self._second) * 1000):03d}+00:00","level":"INFO",'
            f'"service":"{self._service}","logger":"access",'
            f'"message":"request","request_id":"{request_id}","method":"{method}","route":"{route}","status":{status},'
            f'"duration_ms":{duration_s * 1000:.2f}}}\n'
        )
        if len(self._lines) >= _BATCH_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stderr.write("".join(lines))
