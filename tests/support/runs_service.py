"""The service with the tools of these tests, in a process that is forked ready-made and killed: `python
runs_service.py <fd> <log>`.

Each line on standard input names a version of the workflows and starts one more process over the same socket;
its id is the answer. Tools write to the log what they did.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from agent_service import main as service
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from agent_service.tools.port import ProducedFile, ToolContext, ToolResult
from shared.contracts.runs import Citation
from shared.errors import NotFound

from shared import durable

NUMBERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
ANYTHING: Mapping[str, Any] = {"type": "object"}
PICTURE = b"\x89PNG picture"


@dataclass
class ScriptedTool:
    """A tool whose name says what it does."""

    name: str
    log: Path
    parameters: Mapping[str, Any] = field(default_factory=lambda: ANYTHING)
    repeatable: bool = True
    needs_approval: bool = False
    timeout_s: float = 20
    source: str = "built-in"

    @property
    def title(self) -> str:
        return self.name.capitalize()

    @property
    def description(self) -> str:
        return f"Does {self.name}."

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        self._note(f"begin {self.name} {arguments.get('a', '')}")
        result = await getattr(self, f"_{self.name}")(context, arguments)
        self._note(f"end {self.name} {arguments.get('a', '')}")
        return result

    def _note(self, line: str) -> None:
        with self.log.open("a") as sink:
            sink.write(f"{line.strip()}\n")

    async def _add(self, _context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(str(arguments["a"] + arguments["b"]))

    async def _slow(self, _context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        await asyncio.sleep(arguments.get("seconds", 0.3))
        return ToolResult(f"slept {arguments.get('a', '')}".strip())

    async def _publish(self, _context: ToolContext, _arguments: Mapping[str, Any]) -> ToolResult:
        await asyncio.sleep(0.5)
        return ToolResult("published")

    async def _draw(self, _context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        files = [
            ProducedFile("plot.png", "image/png", PICTURE),
            ProducedFile('pa"ge\n.html', "text/html", b"<script>alert(1)</script>"),
            ProducedFile("huge.bin", "application/zip", bytes(arguments.get("size", 10))),
        ]
        return ToolResult("drawn", files=tuple(files))

    async def _search_documents(self, context: ToolContext, _arguments: Mapping[str, Any]) -> ToolResult:
        citation = Citation(
            n=context.citations_from,
            file_id=UUID(int=1),
            chunk_id=UUID(int=2),
            filename="a.pdf",
            page=3,
            score=0.5,
            text="a passage",
        )
        sources = f"{len(context.knowledge_base_ids)} bases, {len(context.file_ids)} files"
        return ToolResult(f"[{citation.n}] a passage ({sources})", citations=(citation,))

    async def _boom(self, _context: ToolContext, _arguments: Mapping[str, Any]) -> ToolResult:
        raise ValueError("a secret of the library")

    async def _refuse(self, _context: ToolContext, _arguments: Mapping[str, Any]) -> ToolResult:
        raise NotFound("there is no such thing")

    async def _long(self, _context: ToolContext, _arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult("x\x00" * 30_000)


class ScriptedToolbox:
    """Every tool above, for everybody."""

    def __init__(self, log: Path) -> None:
        names = ("slow", "draw", "search_documents", "boom", "refuse", "long")
        tools = [ScriptedTool(name, log) for name in names]
        tools += [ScriptedTool("add", log, NUMBERS), ScriptedTool("publish", log, repeatable=False)]
        tools += [ScriptedTool("guarded", log, needs_approval=True)]
        tools += [ScriptedTool("hasty", log, timeout_s=0.05)]
        self._tools = {tool.name: tool for tool in tools}

    async def available(self, _principal: Any) -> list[Any]:
        return list(self._tools.values())

    async def find(self, _principal: Any, names: tuple[str, ...]) -> list[Any]:
        return [self._tools[name] for name in names if name in self._tools]


ScriptedTool._guarded = ScriptedTool._slow  # type: ignore[attr-defined]
ScriptedTool._hasty = ScriptedTool._slow  # type: ignore[attr-defined]


def _serve(fd: int, log: Path, version: str) -> None:
    service._WORKFLOW_VERSION, durable._GONE_AFTER_S = version, 0.5
    app = create_app(AgentSettings(), toolbox=ScriptedToolbox(log))  # pyright: ignore[reportCallIssue]
    config = uvicorn.Config(app, fd=fd, log_config=None, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run()


def main() -> None:
    fd, log = int(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _serve(fd, log, line.strip())
            finally:
                os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
