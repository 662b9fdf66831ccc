"""What a tool of an MCP server answered, as text and files within limits."""

import base64
import binascii
import json
import mimetypes
import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import mcp_types as types

from agent_service.mcp.port import Limits
from agent_service.tools.port import ProducedFile, ToolResult

_BLOCKS_MAX = 200
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_NOT_IN_FILE_NAMES = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]")
_NOT_IN_TEXT = re.compile(r"[\x00\ud800-\udfff]")
_FILE_NAME_CHARS_MAX = 100


def to_result(tool_name: str, answer: types.CallToolResult, limits: Limits) -> ToolResult:
    """Text blocks joined, images and other bytes as files, structured content as JSON where there
    is no text.
    """
    gathered = _Gathered(tool_name, limits)
    for block in answer.content[:_BLOCKS_MAX]:
        gathered.add(block)
    if answer.structured_content is not None and not any(
        isinstance(block, types.TextContent) for block in answer.content
    ):
        gathered.texts.append(json.dumps(answer.structured_content, ensure_ascii=False))
    text = "\n".join(gathered.texts) or (
        "The tool failed without saying why." if answer.is_error else "The tool answered nothing."
    )
    return ToolResult(
        shorten(_NOT_IN_TEXT.sub("", text), limits.result_chars_max),
        failed=answer.is_error,
        files=tuple(gathered.files),
    )


class _Gathered:
    """Texts and files of one answer, in order."""

    def __init__(self, tool_name: str, limits: Limits) -> None:
        self.texts: list[str] = []
        self.files: list[ProducedFile] = []
        self._tool_name = tool_name
        self._limits = limits

    def add(self, block: types.ContentBlock) -> None:
        match block:
            case types.TextContent():
                self.texts.append(block.text)
            case types.ImageContent() | types.AudioContent():
                self._add_bytes(block.data, block.mime_type, "")
            case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
                self.texts.append(resource.text)
            case types.EmbeddedResource(resource=types.BlobResourceContents() as resource):
                self._add_bytes(resource.blob, resource.mime_type or "", str(resource.uri))
            case types.ResourceLink():
                self.texts.append(f"{(block.title or block.name)[:200]}: {str(block.uri)[:2000]}")
            case _:
                self.texts.append("[content of a kind that is not supported was left out]")

    def _add_bytes(self, encoded: str, content_type: str, uri: str) -> None:
        content_type = (
            content_type.lower()
            if _CONTENT_TYPE.fullmatch(content_type.lower())
            else "application/octet-stream"
        )
        if len(self.files) >= self._limits.files_max:
            self.texts.append("[a further file was left out]")
            return
        if len(encoded) > self._limits.file_bytes_max * 4 // 3 + 4:
            self.texts.append(f"[a file of more than {self._limits.file_bytes_max} bytes was left out]")
            return
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            self.texts.append("[a file that could not be decoded was left out]")
            return
        name = self._file_name(uri, content_type)
        self.files.append(ProducedFile(name, content_type, content))
        self.texts.append(f"[file {name}, {content_type}, {len(content)} bytes]")

    def _file_name(self, uri: str, content_type: str) -> str:
        """The last part of its URI, else the tool's name and a number; unlike those before it."""
        extension = mimetypes.guess_extension(content_type) or ".bin"
        name = _NOT_IN_FILE_NAMES.sub("_", unquote(_path(uri).rpartition("/")[2]))[
            -_FILE_NAME_CHARS_MAX:
        ].strip(" .")
        fallback = f"{self._tool_name}-{len(self.files) + 1}{extension}"
        return fallback if not name or _taken(name, self.files) else name


def _path(uri: str) -> str:
    try:
        return urlsplit(uri).path
    except ValueError:
        return ""


def _taken(name: str, files: Sequence[ProducedFile]) -> bool:
    return any(file.name == name for file in files)


def shorten(text: str, chars_max: int) -> str:
    """`text` within `chars_max`: what is too much is taken from the middle, where it is missed least."""
    if len(text) <= chars_max:
        return text
    note = f"\n[... {len(text) - chars_max} characters left out ...]\n"
    kept = max(chars_max - len(note), 0)
    return (text[: kept * 2 // 3] + note + text[len(text) - kept // 3 :])[:chars_max]
