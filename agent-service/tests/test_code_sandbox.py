"""The parts of the sandbox, and what happens where there is none."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import code_sandbox
import httpx
import pytest
from agent_service.code.admission import Admission
from agent_service.code.endpoints import router
from agent_service.code.limits import CodeLimits
from agent_service.code.service import AccessLost, CodeRunner
from agent_service.code.tool import PythonTool
from agent_service.code.workfolder import WorkFolder, remove_tree
from agent_service.settings import AgentSettings
from agent_service.tools.port import ToolContext
from code_sandbox import NO_LANDLOCK, sandbox
from fastapi import FastAPI
from identities import KeyRing, make_principal
from servers import serve
from shared.access import AccessEnd, EndReason
from shared.app.asgi import ServiceApp
from shared.app.service import create_service_app
from shared.background import TaskTracker
from shared.errors import TooManyRequests
from shared.ids import uuid7
from suite.waiting import is_within

KEYS = KeyRing()
REASON = "the kernel has no Landlock"


async def no_landlock() -> str | None:
    return REASON


async def owns_nothing(_stack: AsyncExitStack) -> None: ...


def application(**limits: Any) -> ServiceApp:
    """Code execution alone, on a machine whose self-test says no."""

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
        api.state.code = runner = CodeRunner(
            CodeLimits(cache_dir=Path("unused"), **limits), tasks=api.state.tasks, self_test=no_landlock
        )
        runner.open()
        async with api.state.succession.owning(owns_nothing):
            yield
        await runner.close()

    settings = AgentSettings(**KEYS.settings_fields("agent-service", database_url="postgresql://unused"))
    return create_service_app(settings, title="code", lifespan=lifespan, routers=[router])


@pytest.mark.parametrize(
    ("limits", "says"),
    [({}, REASON), ({"enabled": False}, "CODE_ENABLED=true")],
    ids=["no sandbox", "switched off"],
)
async def test_without_a_sandbox_the_answer_says_why_and_the_service_is_ready(
    limits: dict[str, Any], says: str
) -> None:
    headers = KEYS.user_headers(make_principal())
    async with serve(application(**limits)) as url, httpx.AsyncClient(timeout=60, base_url=url) as client:
        answer = await client.post("/api/v1/agents/code/execute", headers=headers, json={"code": "1"})
        ready = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "code_unavailable")
    assert says in answer.json()["detail"]
    assert ready.status_code == 200


async def test_a_no_is_asked_again_after_a_while(tmp_path: Path) -> None:
    answers: list[str | None] = ["short of memory", "not asked", None]

    async def self_test() -> str | None:
        return answers.pop(0)

    async with sandbox(tmp_path, self_test=self_test) as made:
        assert await made.runner.unavailable_reason() == "short of memory"
        assert await made.runner.unavailable_reason() == "short of memory"
        answers.remove("not asked")
        made.runner._judged_at -= 3600
        assert await made.runner.unavailable_reason() is None
        assert await made.runner.unavailable_reason() is None


async def test_without_a_sandbox_the_tool_says_why(tmp_path: Path) -> None:
    async with sandbox(tmp_path, self_test=no_landlock) as made:
        tool = PythonTool(made.runner, None, timeout_s=5)  # pyright: ignore[reportArgumentType] - never asked
        assert await tool.unavailable_reason() == REASON
        result = await tool.call(ToolContext(principal=make_principal(), run_id=uuid7()), {"code": "1"})
    assert (result.failed, REASON in result.text) == (True, True)


@pytest.mark.skipif(sys.platform != "linux", reason="the self-test speaks of Linux")
def test_the_self_test_finds_every_hole_of_a_process_that_is_not_confined(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    canary = tmp_path / "outside" / "canary"
    canary.write_text("x")
    code = """
import errno, json, os, sys
from pathlib import Path
from shared.jail import selftest
def let_through(*arguments): raise OSError(errno.ENOENT, "no such program")
os.execv = let_through
print(json.dumps(selftest.failures(Path(sys.argv[1]))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(canary)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {
        "files outside can be read",
        "files outside can be written",
        "files can be made outside",
        "/etc/passwd can be read",
        "/proc can be read",
        "internet sockets can be opened",
        "unix sockets can be opened",
        "the parent can be signalled",
        "processes can be forked",
        "programs can be started",
    }


@pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there")
async def test_a_real_self_test_passes_and_leaves_no_process(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as made:
        assert await made.runner.unavailable_reason() is None
        assert made.runner._zygote is None


@pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there")
async def test_the_warm_process_ends_when_idle_and_comes_back(tmp_path: Path) -> None:
    async with sandbox(tmp_path, idle_s=0.1, libraries=False) as made:
        assert (await made.run("1")).result == "1"
        for _ in range(100):
            if made.runner._zygote is None:
                break
            await asyncio.sleep(0.05)
        assert made.runner._zygote is None
        assert (await made.run("2")).result == "2"


@pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there")
async def test_a_process_that_is_kept_warm_is_there_before_the_first_run_and_stays(tmp_path: Path) -> None:
    async with sandbox(tmp_path, idle_s=0.05, libraries=False, keep_warm=True, warm_after_s=0.01) as made:
        async with asyncio.timeout(20):
            while made.runner._zygote is None:  # noqa: ASYNC110 - it comes by itself
                await asyncio.sleep(0.02)
        warm = made.runner._zygote
        assert (await made.run("1")).result == "1"
        await asyncio.sleep(0.3)
        assert made.runner._zygote is warm
        assert warm.alive


@pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there")
@pytest.mark.parametrize("whose", ["person", "key"])
async def test_code_of_somebody_who_lost_access_ends_at_once(tmp_path: Path, whose: str) -> None:
    principal = make_principal(key_id=uuid7())
    lost = (
        AccessEnd(EndReason.ACCOUNT_SUSPENDED, user_id=principal.user_id)
        if whose == "person"
        else AccessEnd(EndReason.KEY_REVOKED, key_id=principal.key_id)
    )
    async with sandbox(tmp_path, libraries=False) as made:
        running = asyncio.ensure_future(
            made.run("import time\ntime.sleep(60)", principal=principal, timeout_s=100)
        )
        other = asyncio.ensure_future(made.run("import time\ntime.sleep(1.5)\n'done'"))
        async with asyncio.timeout(20):
            # What runs tells nobody.
            while made.runner._zygote is None or len(made.runner._zygote._processes) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        began = time.monotonic()
        await made.runner.end_access(lost)
        with pytest.raises(AccessLost) as refused:
            await running
        assert (refused.value.code, refused.value.status) == (lost.reason.value, 403)
        await asyncio.wait_for(made.tasks.drain(2), 20)
        assert is_within(time.monotonic() - began, 2)
        assert (await other).result == "'done'"


SERVICE = """
import asyncio, sys
from pathlib import Path
from code_sandbox import sandbox

async def main():
    async with sandbox(Path(sys.argv[1]), libraries=False) as made:
        run = asyncio.ensure_future(made.run("import time\\ntime.sleep(100)", timeout_s=200))
        while made.runner._zygote is None or not made.runner._zygote._processes:
            await asyncio.sleep(0.01)
        print(made.runner._base, made.runner._zygote._process.pid, *made.runner._zygote._processes.values(),
            flush=True)
        await run

asyncio.run(main())
"""


@pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there")
def test_what_runs_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(code_sandbox.__file__).parent)}
    command = [sys.executable, "-c", SERVICE, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        base, *pids = service.stdout.readline().split()
        zygote, run = map(int, pids)
        assert alive(zygote)
        assert alive(run)
        service.kill()
    deadline = time.monotonic() + 10
    while (alive(zygote) or alive(run)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (alive(zygote), alive(run)) == (False, False)
    remove_tree(Path(base))


def alive(process: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_folders_of_a_killed_process_are_removed_and_those_in_use_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "atrium-code-left"
    (left / "work" / "deep").mkdir(parents=True)
    (left / "lock").touch()
    os.utime(left, (1, 1))
    just_made = tmp_path / "atrium-code-new"
    just_made.mkdir()
    first = CodeRunner(CodeLimits(cache_dir=tmp_path), tasks=TaskTracker())
    used = first._open_base()
    assert not left.exists()
    just_made.rmdir()
    second = CodeRunner(CodeLimits(cache_dir=tmp_path), tasks=TaskTracker())
    second._open_base()
    assert used.exists()
    await first.close()
    await second.close()
    assert not any(await asyncio.to_thread(os.listdir, tmp_path))


def admission(**changes: Any) -> Admission:
    return Admission(**{"slots": 2, "waiting_max": 2, "waiting_per_user_max": 1, "wait_max_s": 5, **changes})


async def test_a_person_gets_all_places_but_one() -> None:
    places, busy = admission(), uuid7()
    first = await places.enter(busy)
    waiting = asyncio.ensure_future(places.enter(busy))
    await asyncio.sleep(0)
    second = await places.enter(uuid7())
    assert {first, second} == {0, 1}
    assert not waiting.done()
    places.leave(first, busy)
    assert await waiting == first


async def test_a_single_place_is_everybody_s() -> None:
    assert await admission(slots=1).enter(uuid7()) == 0


async def test_the_queue_is_short_and_shorter_for_one_person() -> None:
    places, busy = admission(), uuid7()
    await places.enter(busy)
    waiting = [asyncio.ensure_future(places.enter(busy))]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests, match="of your runs"):
        await places.enter(busy)
    await places.enter(uuid7())
    waiting.append(asyncio.ensure_future(places.enter(uuid7())))
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests, match="too many runs") as refused:
        await places.enter(uuid7())
    assert refused.value.headers["Retry-After"] == "5"
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert places.waiting == 0


async def test_who_waits_too_long_is_told_and_forgotten() -> None:
    places, other = admission(slots=1, wait_max_s=0.05), uuid7()
    slot = await places.enter(other)
    with pytest.raises(TooManyRequests, match="in time"):
        await places.enter(uuid7())
    places.leave(slot, other)
    assert (places.running, places.waiting) == (0, 0)


async def test_a_place_given_to_somebody_who_just_left_goes_on_to_the_next() -> None:
    places, first, second = admission(slots=1), uuid7(), uuid7()
    slot = await places.enter(first)
    leaving, staying = (asyncio.ensure_future(places.enter(each)) for each in (second, uuid7()))
    await asyncio.sleep(0)
    places.leave(slot, first)
    leaving.cancel()
    assert await asyncio.wait_for(staying, 20) == slot
    assert leaving.cancelled()


def test_only_plain_files_are_collected(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    folder = WorkFolder(tmp_path, "work", uid=None)
    folder.place([("given.txt", b"given")])
    (folder.path / "made.txt").write_text("made")
    (folder.path / "link.txt").symlink_to(outside)
    (folder.path / "folder").mkdir()
    os.mkfifo(folder.path / "pipe")
    collected = folder.collect()
    assert [(file.name, file.content) for file in collected.files] == [("made.txt", b"made")]
    assert collected.left_out == "folders"
    folder.remove()
    assert outside.read_text() == "secret"
    assert not folder.path.exists()


def test_a_name_that_is_there_already_is_not_followed(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path, "work", uid=None)
    (folder.path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        folder.place([("a", b"x")])
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_says_what_is_too_much(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path, "work", uid=None)
    assert folder.excess(1_000_000) is None
    (folder.path / "big").write_bytes(b"x" * 1_100_000)
    assert folder.excess(1_000_000) == "more than 1000000 bytes of files"
    with (folder.path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert folder.excess(2_000_000) is None
    for n in range(2_000):
        (folder.path / f"f{n}").touch()
    assert folder.excess(2_000_000) == "more than 2000 files"


def test_a_tree_of_any_depth_and_mode_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = Path.cwd()
    try:
        os.chdir(top)
        for n in range(1_100):
            Path("file").touch()
            Path("d" * 20).mkdir(0o700 if n else stat.S_IWUSR | stat.S_IXUSR)
            os.chdir("d" * 20)
    finally:
        os.chdir(here)
    remove_tree(top)
    assert not top.exists()
    remove_tree(top)
