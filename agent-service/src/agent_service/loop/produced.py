"""What a tool gave, within the bounds of what is kept and shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.contracts.runs import TOOL_RESULT_CHARS_MAX, RunFile
from shared.ids import uuid7

from agent_service.tools.port import ToolResult

_CUT_NOTE = "\n[shortened]"
_NAME_CHARS_MAX = 200
_TYPE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Produced:
    """`rows` are values of run_file."""

    text: str
    files: list[RunFile] = field(default_factory=list[RunFile])
    rows: Sequence[dict[str, Any]] = ()


def keep_files(run_id: UUID, result: ToolResult, *, bytes_left: int, file_bytes_max: int) -> Produced:
    """The result with the files that fit; the model is told which did not."""
    files: list[RunFile] = []
    rows: list[dict[str, Any]] = []
    dropped: list[str] = []
    for made in result.files:
        size, name = len(made.content), _plain(made.name, _NAME_CHARS_MAX) or "file"
        if size > min(file_bytes_max, bytes_left):
            dropped.append(name)
            continue
        bytes_left -= size
        file_id = uuid7()
        content_type = _plain(made.content_type, _TYPE_CHARS_MAX) or "application/octet-stream"
        url = f"/api/v1/agents/runs/{run_id}/files/{file_id}"
        files.append(RunFile(file_id=file_id, name=name, content_type=content_type, size_bytes=size, url=url))
        columns = {"name": name, "content_type": content_type, "size_bytes": size, "content": made.content}
        rows.append({"id": file_id, "run_id": run_id, **columns})
    note = f"\nNot kept, because too large: {', '.join(dropped)}." if dropped else ""
    return Produced(storable(result.text, note=note), files, rows)


def storable(text: str, *, note: str = "") -> str:
    """`text` as the database can hold it and the model may read it, with `note` at its end."""
    clean = text.replace("\x00", "").encode(errors="replace").decode()
    note = note[:1000]
    if len(clean) + len(note) > TOOL_RESULT_CHARS_MAX:
        clean = clean[: TOOL_RESULT_CHARS_MAX - len(note) - len(_CUT_NOTE)] + _CUT_NOTE
    return clean + note


def _plain(text: str, chars_max: int) -> str:
    """One line that a header can carry."""
    return (
        "".join(character for character in text if character.isprintable())
        .encode(errors="replace")
        .decode()[:chars_max]
    )
