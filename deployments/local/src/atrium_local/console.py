"""What the supervisor says on the terminal."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from atrium_local.progress import ProgressLine

if TYPE_CHECKING:
    from atrium_local.supervised import Supervised  # which speaks through this module

_MODEL_POLL_S = 0.5
_LOG_TAIL_BYTES = 4096
_STARTUP_FAILED = "Application startup failed"  # uvicorn's word under the line that says why


def say(text: str = "") -> None:
    """One line, at once; when nobody can read any more, nothing."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _go_silent()
    except (OSError, ValueError):
        pass  # a full disk takes the output: the next line may fit again


def _go_silent() -> None:
    """The reader is gone: what is said from now on goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def log_end(path: Path) -> str:
    """The last line of a log that says something; empty when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
            tail = log.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in tail.splitlines() if line.strip() and _STARTUP_FAILED not in line]
    return next((line for line in reversed(lines) if "FATAL" in line), lines[-1] if lines else "")


def said(line: str) -> tuple[str, bool]:
    """What a line of a log says to a person, and whether it is everyday news (a service logs JSON)."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line, False
    if not isinstance(entry, dict) or "message" not in entry:
        return line, False
    fields = cast("dict[str, Any]", entry)
    # Of a traceback the last line says what is wrong.
    message = next(
        (part.strip() for part in reversed(str(fields["message"]).splitlines()) if part.strip()), ""
    )
    return message, fields.get("level") in {"DEBUG", "INFO"}


def report_change(process: "Supervised") -> None:
    """One line for what somebody at the terminal wants to know about a process."""
    name = process.spec.name
    if process.state in {"restarting", "failed"}:
        wrong = process.state == "failed"
        complaint = process.last_complaint() if process.restarts in {1, 3} or wrong else ""
        detail = f": {complaint}" if complaint else ""
        say(f"  {name} {process.reason or 'ended'}, starting it again{detail} (log: {process.spec.log_path})")
    elif process.state == "ready" and process.spec.port is not None and name != "model-server":
        again = " again" if process.restarts else ""
        adopted = ", left running by `make deps`" if process.adopted else ""
        say(f"  {name:<18} ready{again} on port {process.spec.port}{adopted}")


def read_model_status(path: Path) -> dict[str, Any] | None:
    """What model.json says; None when it is not there."""
    try:
        return cast("dict[str, Any]", json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


async def follow_model(path: Path, model_id: str) -> None:
    """Show the model's download and tell when it answers; ends then."""
    line = ProgressLine(f"  {model_id}", sys.stdout)
    told = ""
    while True:
        status = read_model_status(path) or {}
        state = str(status.get("state", ""))
        if state == "downloading" and status.get("total_bytes"):
            with contextlib.suppress(OSError, ValueError):
                line.show(int(status["downloaded_bytes"]), int(status["total_bytes"]))
        if state == "failed" and status.get("detail") != told:
            told = str(status.get("detail"))
            say(f"  {model_id} is not available: {told} It is tried again.")
        if state == "ready":
            with contextlib.suppress(OSError, ValueError):
                line.finish()
            say(f"  {model_id} is ready to answer")
            return
        await asyncio.sleep(_MODEL_POLL_S)
