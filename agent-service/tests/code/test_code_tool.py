"""Code as the tool of a run: it reads the run's files and gives back what it made."""

from pathlib import Path
from uuid import UUID

import httpx
import pytest
from agent_service.code.tool import TEXT_CHARS_MAX, PythonTool, plain_name
from agent_service.tools.port import ToolContext, ToolResult
from code_sandbox import NO_LANDLOCK
from identities import make_principal
from shared.app.asgi import ServiceApp
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.retrieval import DocumentMetadata
from shared.errors import NotFound
from shared.ids import uuid7

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there"),
]


class FakeRetrieval:
    """The two calls the tool makes."""

    def __init__(self, files: dict[UUID, tuple[str, bytes]]) -> None:
        self.files = files

    async def document(self, _principal: Principal, file_id: UUID) -> DocumentMetadata:
        if file_id not in self.files:
            raise NotFound("there is no such file")
        name, content = self.files[file_id]
        return DocumentMetadata.model_construct(document_id=file_id, filename=name, size_bytes=len(content))

    async def content(self, _principal: Principal, file_id: UUID) -> bytes:
        return self.files[file_id][1]


async def call_tool(
    app: ServiceApp,
    code: str,
    files: dict[UUID, tuple[str, bytes]] | None = None,
    *,
    principal: Principal | None = None,
) -> ToolResult:
    files = files or {}
    tool = PythonTool(app.state.code, FakeRetrieval(files), timeout_s=10)  # pyright: ignore[reportArgumentType]
    context = ToolContext(principal=principal or make_principal(), run_id=uuid7(), file_ids=tuple(files))
    return await tool.call(context, {"code": code})


async def test_the_tool_reads_the_run_s_files_and_gives_back_plots(
    client: httpx.AsyncClient, app: ServiceApp
) -> None:
    files = {
        uuid7(): ("data.csv", b"x\n1\n2\n"),
        uuid7(): ("data.csv", b"x\n5\n"),
        uuid7(): ("huge.bin", bytes(11_000_000)),
    }
    code = (
        "import os, matplotlib.pyplot as plt\nplt.plot([1])\nprint(sorted(os.listdir()))\nopen('data "
        "(2).csv').read()"
    )
    result = await call_tool(app, code, files)
    assert not result.failed, result.text
    assert "'data (2).csv', 'data.csv']" in result.text
    assert "Result: 'x\\n5\\n'" in result.text
    assert "huge.bin is too large" in result.text
    assert [(file.name, file.content_type) for file in result.files] == [("plot-1.png", "image/png")]
    assert result.files[0].content.startswith(b"\x89PNG")


async def test_the_tool_s_text_is_bounded_and_keeps_the_error(
    client: httpx.AsyncClient, app: ServiceApp
) -> None:
    result = await call_tool(app, "for n in range(100_000): print(n)\n1 / 0")
    assert result.failed
    assert len(result.text) <= TEXT_CHARS_MAX
    assert "ZeroDivisionError" in result.text
    assert "99999" in result.text


async def test_the_tool_tells_refusals_as_failed_results(client: httpx.AsyncClient, app: ServiceApp) -> None:
    nobody = make_principal(permissions=frozenset({Permission.AGENTS_RUN}))
    assert "code:execute" in (await call_tool(app, "1", principal=nobody)).text
    tool = PythonTool(app.state.code, FakeRetrieval({}), timeout_s=10)  # pyright: ignore[reportArgumentType]
    result = await tool.call(
        ToolContext(principal=make_principal(), run_id=uuid7(), file_ids=(uuid7(),)), {"code": "1"}
    )
    assert (result.failed, "no such file" in result.text) == (True, True)


@pytest.mark.parametrize(
    ("filename", "taken", "name"),
    [
        ("a.csv", set[str](), "a.csv"),
        ("a.csv", {"a.csv", "a (2).csv"}, "a (3).csv"),
        ("../etc/passwd", set[str](), "_etc_passwd"),
        (".env", set[str](), "env"),
        ("...", set[str](), "file"),
        ("no ending", {"no ending"}, "no ending (2)"),
    ],
)
async def test_names_of_documents_become_names_in_one_folder(
    filename: str, taken: set[str], name: str
) -> None:
    assert plain_name(filename, taken=taken) == name


async def test_a_long_name_is_cut_to_what_a_folder_holds(tmp_path: Path) -> None:
    for filename in ("€" * 250 + ".csv", "x" * 250, "a." + "é" * 300):
        (tmp_path / plain_name(filename, taken={filename})).touch()
