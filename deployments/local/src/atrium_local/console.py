"""What the supervisor says on the terminal."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, cast

from atrium_local.progress import ProgressLine
from atrium_local.supervised import Supervised

_MODEL_POLL_S = 0.5


def say(text: str = "") -> None:
    """One line, at once."""
    print(text, flush=True)


def report_change(process: Supervised) -> None:
    """One line for what somebody at the terminal wants to know about a process."""
    name = process.spec.name
    if process.state == "restarting":
        reason = "ended" if process.last_exit is None else f"ended with status {process.last_exit}"
        detail = f": {process.last_log_line()}" if process.restarts in {1, 3} else ""
        say(f"  {name} {reason}, starting it again{detail} (log: {process.spec.log_path})")
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
            line.show(int(status["downloaded_bytes"]), int(status["total_bytes"]))
        if state == "failed" and status.get("detail") != told:
            told = str(status.get("detail"))
            say(f"  {model_id} is not available: {told} It is tried again.")
        if state == "ready":
            line.finish()
            say(f"  {model_id} is ready to answer")
            return
        await asyncio.sleep(_MODEL_POLL_S)
