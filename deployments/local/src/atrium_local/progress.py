"""How far a download is, as a bar on a terminal and as few lines elsewhere, and as a file other processes
read.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Literal

from atrium_local.files import write_atomically

_BAR_WIDTH = 28
_BAR_PAUSE_S = 0.1
_LINE_STEP = 0.2
_FILE_PAUSE_S = 0.5

ModelState = Literal["downloading", "starting", "ready", "failed"]


@dataclass(slots=True)
class ModelStatus:
    """What $ATRIUM_HOME/run/model.json says; inference-service and the supervisor read it."""

    state: ModelState
    model: str
    downloaded_bytes: int = 0
    total_bytes: int = 0
    eta_s: int | None = None
    detail: str | None = None
    control_tokens: list[str] = field(
        default_factory=list[str]
    )  # marks between messages, which no text may hold

    def write(self, path: Path) -> None:
        """Replace the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = asdict(self)
        if not self.control_tokens:
            del fields["control_tokens"]
        write_atomically(path, json.dumps(fields))


class ProgressLine:
    """Prints one download's progress to `stream`."""

    def __init__(self, label: str, stream: IO[str]) -> None:
        self._label = label
        self._stream = stream
        self._bar = stream.isatty()
        self._printed_at = 0.0
        self._printed_share = -1.0

    def show(self, done_bytes: int, total_bytes: int) -> None:
        """Print when enough changed since the last time."""
        share = min(1.0, done_bytes / total_bytes) if total_bytes else 0.0
        if self._bar:
            self._show_bar(share, done_bytes, total_bytes)
        elif share - self._printed_share >= _LINE_STEP or (share >= 1.0 > self._printed_share):
            self._printed_share = share
            print(f"{self._label}: {share:.0%} of {total_bytes / 1e6:.0f} MB", file=self._stream, flush=True)

    def finish(self) -> None:
        """End a bar that was cut short."""
        if self._bar and 0 <= self._printed_share < 1:
            print(file=self._stream, flush=True)

    def _show_bar(self, share: float, done_bytes: int, total_bytes: int) -> None:
        now = time.monotonic()
        finished = share >= 1.0
        if self._printed_share >= 1.0 or (now - self._printed_at < _BAR_PAUSE_S and not finished):
            return
        self._printed_at, self._printed_share = now, share
        bar = ("#" * round(share * _BAR_WIDTH)).ljust(_BAR_WIDTH, ".")
        text = f"\r{self._label} [{bar}] {share:4.0%} {done_bytes / 1e6:.0f}/{total_bytes / 1e6:.0f} MB"
        print(text, end="\n" if finished else "", file=self._stream, flush=True)


class StatusFile:
    """Writes a download's progress with its estimate into the status file, at most twice a second."""

    def __init__(self, path: Path, model: str) -> None:
        self._path = path
        self._model = model
        self._began_at = time.monotonic()
        self._began_bytes: int | None = None
        self._written_at = 0.0

    def show(self, done_bytes: int, total_bytes: int) -> None:
        """Write when the last write was long enough ago."""
        now = time.monotonic()
        if self._began_bytes is None:
            self._began_at, self._began_bytes = now, done_bytes
        if now - self._written_at < _FILE_PAUSE_S:
            return
        self._written_at = now
        ModelStatus(
            state="downloading",
            model=self._model,
            downloaded_bytes=min(done_bytes, total_bytes),
            total_bytes=total_bytes,
            eta_s=self._eta_s(now, done_bytes, total_bytes),
        ).write(self._path)

    def _eta_s(self, now: float, done_bytes: int, total_bytes: int) -> int | None:
        got = done_bytes - (self._began_bytes or 0)
        elapsed_s = now - self._began_at
        if got <= 0 or elapsed_s < 1:
            return None
        return round((total_bytes - done_bytes) * elapsed_s / got)
