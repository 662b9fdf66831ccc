"""From what a run left to what its caller gets. Everything a run says is a claim of code nobody trusts."""

import base64
import mimetypes
import os
import signal
from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, Field, ValidationError
from shared.contracts.agents import CodeFile, CodeResult, CodeStatus
from shared.errors import Invalid, PayloadTooLarge

from agent_service.code.execution import ExecutionEnding
from agent_service.code.host import SandboxUnavailable
from agent_service.code.limits import INPUT_BYTES_MAX, INPUT_FILES_MAX, CodeLimits
from agent_service.code.workfolder import NAME_BYTES_MAX, Collected, is_plain_name

_RESULT_CHARS_MAX = 66_000
_TYPES = {
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".json": "application/json",
    ".png": "image/png",
    ".txt": "text/plain",
}


class _Report(BaseModel):
    """What the child says; `refused` when its restrictions could not be put on."""

    status: Literal["ok", "error", "memory_exceeded"] = "ok"
    result: str | None = Field(default=None, max_length=_RESULT_CHARS_MAX)
    truncated: bool = False
    refused: str | None = None


def decode_files(files: Sequence[CodeFile]) -> list[tuple[str, bytes]]:
    """The files of a request. Raises: Invalid, PayloadTooLarge."""
    decoded: list[tuple[str, bytes]] = []
    for file in files:
        try:
            content = base64.b64decode(file.content_base64, validate=True)
        except ValueError:
            raise Invalid(f"the content of the file {file.name!r} is not base64") from None
        decoded.append((file.name, content))
    check_files(decoded)
    return decoded


def check_files(files: Sequence[tuple[str, bytes]]) -> None:
    """Names that can stand beside each other in one folder, and few enough bytes. Raises: Invalid,
    PayloadTooLarge.
    """
    if len(files) > INPUT_FILES_MAX:
        raise Invalid(f"a run takes {INPUT_FILES_MAX} files at most")
    names: set[str] = set()
    for name, _ in files:
        if not is_plain_name(name):
            raise Invalid(
                f"{name!r} cannot be the name of a file; use one of {NAME_BYTES_MAX} bytes at most that "
                "starts with no dot"
            )
        if name in names:
            raise Invalid(f"two files are called {name!r}; give each a name of its own")
        names.add(name)
    if sum(len(content) for _, content in files) > INPUT_BYTES_MAX:
        raise PayloadTooLarge(f"the files are larger than {INPUT_BYTES_MAX} bytes together; send less")


def as_result(
    ending: ExecutionEnding, collected: Collected, limits: CodeLimits, *, timeout_s: float
) -> CodeResult:
    """What the caller gets. Raises: SandboxUnavailable when the run was not confined and so never began."""
    report = _report_of(ending)
    if report is not None and report.refused is not None:
        if not ending.confined:
            raise SandboxUnavailable(f"the sandbox could not confine a run: {report.refused}")
        report = None  # of code that would like us to believe so
    status, note = _status(ending, report, limits, timeout_s=timeout_s)
    notes = [note, f"not returned: {collected.left_out}" if collected.left_out else ""]
    stderr = _text(ending.stderr)
    for each in filter(None, notes):
        stderr += f"{'' if not stderr or stderr.endswith(chr(10)) else chr(10)}[sandbox] {each}\n"
    return CodeResult(
        status=status,
        stdout=_text(ending.stdout),
        stderr=stderr,
        result=None if report is None or report.result is None else _clean(report.result),
        files=[_code_file(found.name, found.content) for found in collected.files],
        truncated=ending.limit_hit == "output"
        or collected.left_out is not None
        or (report is not None and report.truncated),
        duration_ms=ending.duration_ms,
    )


def _status(
    ending: ExecutionEnding, report: _Report | None, limits: CodeLimits, *, timeout_s: float
) -> tuple[CodeStatus, str]:
    if ending.limit_hit == "timeout":
        return "timeout", f"ended after {timeout_s:g} s"
    if ending.limit_hit == "output":
        return "output_exceeded", f"ended: more than {limits.output_bytes_max} bytes of output"
    if ending.limit_hit == "excess":
        return "output_exceeded" if "threads" not in ending.detail else "killed", f"ended: {ending.detail}"
    if ending.wait_status is None:
        return "killed", "the sandbox ended before the run did; try again"
    if os.WIFSIGNALED(ending.wait_status):
        return _status_of_signal(os.WTERMSIG(ending.wait_status), timeout_s=timeout_s)
    if report is not None:
        return report.status, ""
    code = os.WEXITSTATUS(ending.wait_status)
    return ("error", f"exit status {code}") if code else ("ok", "")


def _status_of_signal(number: int, *, timeout_s: float) -> tuple[CodeStatus, str]:
    if number == signal.SIGXCPU:
        return "timeout", f"ended after {timeout_s:g} s of processor time"
    if number == signal.SIGSYS:
        return "killed", "ended: it made a system call that is not allowed here"
    if number == signal.SIGKILL:
        return "killed", "ended by the system, which may have run out of memory"
    return "killed", f"ended by signal {number}"


def _report_of(ending: ExecutionEnding) -> _Report | None:
    """The report, None when there is none that can be read: the run may have closed its pipe or written to
    it.
    """
    try:
        return _Report.model_validate_json(ending.report) if ending.report else None
    except ValidationError:
        return None


def _code_file(name: str, content: bytes) -> CodeFile:
    return CodeFile(
        name=name,
        content_base64=base64.b64encode(content).decode("ascii"),
        content_type=content_type_of(name),
    )


def content_type_of(name: str) -> str:
    """By the name's ending; a stream of bytes when it says nothing."""
    ending = PurePath(name).suffix.lower()
    return _TYPES.get(ending) or mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def _text(raw: bytes) -> str:
    return _clean(raw.decode("utf-8", "replace"))


def _clean(text: str) -> str:
    """Without what JSON columns and UTF-8 cannot hold."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
