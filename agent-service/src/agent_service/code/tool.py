"""The tool `python`: what an agent computes."""

import base64
from collections.abc import Mapping
from typing import Any

from shared.clients.retrieval import RetrievalClient
from shared.contracts.agents import CodeFile, CodeRequest, CodeResult
from shared.errors import AppError

from agent_service.code.limits import INPUT_BYTES_MAX, INPUT_FILES_MAX
from agent_service.code.service import CodeRunner
from agent_service.code.workfolder import NAME_BYTES_MAX
from agent_service.tools.port import ProducedFile, ToolContext, ToolResult

TEXT_CHARS_MAX = 8_000
_CODE_CHARS_MAX = 100_000
_STDERR_CHARS = 3_000
_RESULT_CHARS = 2_000
_NAME_CHARS_MAX = 200
_WAIT_S = 120


class PythonTool:
    """Runs Python for a run of an agent, beside the run's files."""

    name = "python"
    title = "Run Python"
    description = (
        "Run Python code and get what it prints and the value of its last expression. numpy, pandas and"
        " matplotlib are installed; there is no network. The user's files lie in the working folder; files"
        " the code writes there and open plots are given to the user."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "code": {
                "type": "string",
                "minLength": 1,
                "maxLength": _CODE_CHARS_MAX,
                "description": "a complete Python program",
            }
        },
        "required": ["code"],
        "additionalProperties": False,
    }
    source = "built-in"
    repeatable = True
    needs_approval = False

    def __init__(self, runner: CodeRunner, retrieval: RetrievalClient, *, timeout_s: float) -> None:
        self._runner = runner
        self._retrieval = retrieval
        self._code_timeout_s = timeout_s
        self.timeout_s = timeout_s + _WAIT_S

    async def unavailable_reason(self) -> str | None:
        """Why it cannot be used here, None when it can."""
        return await self._runner.unavailable_reason()

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """What the code printed, its result and its errors; files it made."""
        if (reason := await self._runner.unavailable_reason()) is not None:
            return ToolResult(f"Python cannot be used here: {reason}", failed=True)
        self._runner.prepare()
        try:
            files, remarks = await self._files(context)
            request = CodeRequest(code=str(arguments["code"]), files=files, timeout_s=self._code_timeout_s)
            result = await self._runner.execute(context.principal, request)
        except AppError as error:
            return ToolResult(f"The code could not be run: {error.detail}", failed=True)
        produced = tuple(
            ProducedFile(
                file.name,
                file.content_type or "application/octet-stream",
                base64.b64decode(file.content_base64),
            )
            for file in result.files
        )
        return ToolResult(describe(result, remarks), failed=result.status != "ok", files=produced)

    async def _files(self, context: ToolContext) -> tuple[list[CodeFile], list[str]]:
        """The run's files, and what to say about those left out. Raises: AppError."""
        files: list[CodeFile] = []
        remarks: list[str] = []
        room = INPUT_BYTES_MAX
        for file_id in context.file_ids[:INPUT_FILES_MAX]:
            document = await self._retrieval.document(context.principal, file_id)
            if document.size_bytes > room:
                remarks.append(f"The file {document.filename} is too large to be used here.")
                continue
            content = await self._retrieval.content(context.principal, file_id)
            room -= len(content)
            name = plain_name(document.filename, taken={file.name for file in files})
            files.append(CodeFile(name=name, content_base64=base64.b64encode(content).decode("ascii")))
        if len(context.file_ids) > INPUT_FILES_MAX:
            remarks.append(f"Only the first {INPUT_FILES_MAX} files are there.")
        return files, remarks


def plain_name(filename: str, *, taken: set[str]) -> str:
    """`filename` as a name in one folder that is not `taken` yet."""
    letters = "".join("_" if letter in "/\\" or ord(letter) < 32 else letter for letter in filename)
    name = letters.encode("utf-8", "replace").decode().lstrip(".") or "file"
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (name, "")
    ending = ending[:20]
    number = 1
    while True:
        mark = "" if number == 1 else f" ({number})"
        room = NAME_BYTES_MAX - len((mark + ending).encode())
        short = stem[: _NAME_CHARS_MAX - len(mark + ending)].encode()[:room].decode("utf-8", "ignore")
        if (candidate := f"{short}{mark}{ending}") not in taken:
            return candidate
        number += 1


def describe(result: CodeResult, remarks: list[str]) -> str:
    """The result as text for a model, TEXT_CHARS_MAX characters at most."""
    parts = list(remarks)
    if result.status != "ok":
        parts.append(f"Status: {result.status}")
    if result.result is not None:
        parts.append(f"Result: {_shorten(result.result, _RESULT_CHARS)}")
    if result.stderr:
        parts.append(f"Errors:\n{_shorten(result.stderr, _STDERR_CHARS)}")
    if result.files:
        parts.append("Files made: " + ", ".join(file.name[:100] for file in result.files))
    room = TEXT_CHARS_MAX - sum(len(part) + 1 for part in parts) - len("Output:\n")
    if result.stdout:
        parts.insert(len(remarks), f"Output:\n{_shorten(result.stdout, max(200, room))}")
    return "\n".join(parts)[:TEXT_CHARS_MAX] or "The code ran and printed nothing."


def _shorten(text: str, chars_max: int) -> str:
    """Beginning and end: errors are told at the end."""
    text = text.rstrip()
    if len(text) <= chars_max:
        return text
    mark = "\n... (cut) ...\n"
    half = (chars_max - len(mark)) // 2
    return text[:half] + mark + text[-half:]
