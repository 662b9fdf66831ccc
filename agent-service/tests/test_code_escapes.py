"""Attempts to get out of the code sandbox: each is contained, and the service continues answering while it is
tried.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from code_sandbox import NO_LANDLOCK, Sandbox, sandbox
from escapes import BOMBS, DEADLY, FILES, NETWORK, PRELUDE, PROCESSES
from identities import make_principal
from shared.contracts.agents import CodeResult

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there"),
]

ROOT = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0
SECRET = "the service keeps this to itself"
PATIENCE_S = 20


@pytest.fixture(scope="module")
def cache_dir(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("code-sandbox")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jail(cache_dir: Path) -> AsyncIterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SERVICE_SIGNING_KEY", SECRET)
        async with sandbox(cache_dir, disk_bytes_max=32 * 1024 * 1024) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jail_of_shared_user(cache_dir: Path) -> AsyncIterator[Sandbox]:
    """As where the service does not run as root: no other user, no file tree of its own; Landlock and seccomp
    must do.
    """
    async with sandbox(cache_dir, uid_first=None, own_tree=False, libraries=False) as made:
        yield made


@pytest.fixture
def jails(jail: Sandbox, jail_of_shared_user: Sandbox) -> dict[str, Sandbox]:
    return {"own user": jail, "shared user": jail_of_shared_user}


async def outcomes(jail: Sandbox, body: str, **fields: Any) -> dict[str, str]:
    """What each attempt of `body` came to."""
    result = await jail.run(f"{PRELUDE}\n{body}\nprint(json.dumps(outcomes))", **fields)
    assert result.status == "ok", result.stderr
    return json.loads(result.stdout.splitlines()[-1])


async def still_answers(jail: Sandbox) -> None:
    """Somebody else's run is carried out as usual."""
    started = time.monotonic()
    result = await jail.run("6 * 7", principal=make_principal())
    assert (result.status, result.result) == ("ok", "42")
    assert time.monotonic() - started < PATIENCE_S


async def contained(jail: Sandbox, code: str, **fields: Any) -> CodeResult:
    """Runs a bomb; others are answered while it goes off and after it."""
    bomb = asyncio.ensure_future(jail.run(code, **fields))
    await asyncio.sleep(0.2)
    await still_answers(jail)
    result = await bomb
    await still_answers(jail)
    return result


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that every user of the machine may read and write."""
    tmp_path.chmod(0o777)
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    file.chmod(0o666)
    return file


def beside(file: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in file.parent.iterdir()}


def guarded(file: Path) -> tuple[int, int, int]:
    """What a file's owner may change without opening it."""
    status = file.stat()
    return status.st_mode, status.st_mtime_ns, status.st_uid


def paths_outside(outside: Path) -> list[str]:
    home = Path.home()
    return [
        str(path)
        for path in (
            outside,
            "/etc/passwd",
            "/etc/shadow",
            "/",
            ROOT / "README.md",
            ROOT,
            home,
            "/tmp",  # noqa: S108
            "/var/log",
        )
    ]


@pytest.mark.parametrize("which", ["own user", "shared user"])
async def test_no_file_outside_is_read_or_changed(
    which: str, jails: dict[str, Sandbox], outside: Path
) -> None:
    jail = jails[which]
    found = await outcomes(jail, FILES.format(paths=paths_outside(outside)))
    assert len(found) > 100
    assert [name for name, outcome in found.items() if outcome == "escaped"] == []
    assert beside(outside) == {"secret.txt": SECRET}


async def test_files_outside_are_not_even_seen(jail: Sandbox, cache_dir: Path, outside: Path) -> None:
    """Landlock hides contents, and not that a file is there, how large it is and whose: a file tree of its
    own does.

    A plain user makes one in a user namespace, where the system allows that.
    """
    files = [str(outside), "/etc/passwd", "/etc/shadow", str(ROOT / "README.md")]
    code = f"""
import os
def seen(path):
    try:
        return bool(os.stat(path))
    except OSError:
        return False
[path for path in {files!r} if seen(path)]
"""
    async with sandbox(cache_dir, uid_first=None, libraries=False) as with_a_tree:
        for each in (jail, with_a_tree):
            result = await each.run(code)
            assert (result.status, result.result) == ("ok", "[]"), result


async def test_rights_and_times_of_a_file_outside_stay(jail_of_shared_user: Sandbox, outside: Path) -> None:
    """Landlock does not guard them, so under a shared user the filter must."""
    before = guarded(outside)
    path = str(outside)
    await jail_of_shared_user.run(
        f"import os\nos.chmod({path!r}, 0)\nos.utime({path!r}, (1, 1))\nos.chown({path!r}, 1, 1)"
    )
    assert guarded(outside) == before


async def test_links_to_the_outside_never_come_back_as_files(jail: Sandbox, outside: Path) -> None:
    result = await jail.run(
        f"import os\ntry:\n    os.symlink({str(outside)!r}, 'out.txt')\nexcept OSError as e:\n    "
        "print(e.errno)"
    )
    assert result.stdout == "1\n"
    assert result.files == []


async def test_a_run_knows_nothing_of_the_service_s_environment(jail: Sandbox) -> None:
    """The zygote is executed afresh: what it inherited it could leak to each of its forks."""
    result = await jail.run("import os, json\nprint(json.dumps(dict(os.environ)))")
    assert set(json.loads(result.stdout)) == {
        "HOME",
        "TMPDIR",
        "MPLCONFIGDIR",
        "LANG",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
    }
    zygotes = [process for process in processes() if b"agent_service.code.zygote" in command_line(process)]
    environments = [about(process, "environ") for process in zygotes if parent_of(process) == os.getpid()]
    assert environments
    assert all(
        SECRET.encode() not in environment and b"PATH=" not in environment for environment in environments
    )


async def test_there_is_no_network(jail: Sandbox) -> None:
    calls = 0

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    listener = await asyncio.start_server(count, "127.0.0.1", 0)
    async with listener:
        found = await outcomes(jail, NETWORK.format(port=listener.sockets[0].getsockname()[1]))
    assert len(found) > 25
    assert [name for name, outcome in found.items() if outcome == "escaped"] == []
    assert calls == 0


@pytest.mark.parametrize("which", ["own user", "shared user"])
async def test_no_process_is_started_signalled_or_changed(which: str, jails: dict[str, Sandbox]) -> None:
    jail = jails[which]
    found = await outcomes(jail, PROCESSES)
    assert len(found) > 40
    assert [name for name, outcome in found.items() if outcome == "escaped"] == []
    await still_answers(jail)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86-64")
@pytest.mark.parametrize("name", DEADLY)
async def test_a_deadly_call_ends_the_run(jail: Sandbox, name: str) -> None:
    result = await jail.run(f"{PRELUDE}\nprint('before', flush=True)\n{DEADLY[name]}\nprint('escaped')")
    assert (result.status, result.stdout) == ("killed", "before\n"), result.stderr
    assert "not allowed" in result.stderr


async def test_a_run_holds_no_descriptor_but_its_own_pipes(jail: Sandbox) -> None:
    code = """
import os, stat
found = []
for number in range(3, 4096):
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        continue
    found.append((number, stat.S_ISFIFO(mode)))
    os.write(number, b'{"do": "kill", "id": 1}\\x80\\x04garbage')
print(found)
"""
    result = await jail.run(code)
    assert result.stdout == "[(3, True)]\n"
    assert (result.status, result.result) == ("ok", None)
    await still_answers(jail)


async def test_a_forged_report_is_bounded_and_only_about_itself(jail: Sandbox) -> None:
    forged = '{"status": "ok", "result": "forged", "files": ["/etc/passwd"], "refused": null}'
    result = await jail.run(f"import os\nos.write(3, {forged.encode()!r})\nos._exit(0)")
    assert (result.status, result.result, result.files) == ("ok", "forged", [])
    refused = '{"refused": "the kernel has no Landlock"}'
    result = await jail.run(f"import os\nprint('ran')\nos.write(3, {refused.encode()!r})\nos._exit(70)")
    assert (result.status, result.stdout) == ("error", "ran\n")
    flood = await jail.run("import os\nwhile True:\n    os.write(3, b'x' * 65536)", timeout_s=1)
    assert flood.status == "timeout"
    await still_answers(jail)


async def test_the_name_of_the_machine_is_hidden(jail: Sandbox, jail_of_shared_user: Sandbox) -> None:
    for each in (jail, jail_of_shared_user):
        result = await each.run(
            "import os, platform, socket\nprint(os.uname().nodename, platform.node(), socket.gethostname())"
        )
        assert result.stdout.split() == ["sandbox"] * 3, result.stderr


async def test_hooks_left_behind_reach_nothing(jail: Sandbox) -> None:
    """Tracing, audit and patched built-ins see the end of their own run, not another one."""
    code = """
import builtins, json, os, sys
def spy(*arguments):
    print("traced", file=sys.stderr)
    return spy
sys.addaudithook(lambda *a: None)
json.dumps = lambda *a, **k: '{"status": "ok", "result": "patched"}'
builtins.open = None
sys.settrace(spy)
sys.setprofile(spy)
"""
    assert (await jail.run(code)).status in {"ok", "error"}
    result = await jail.run("import json, sys\n(json.dumps([1]), sys.gettrace(), open is not None)")
    assert result.result == "('[1]', None, True)"


async def test_a_run_sees_nothing_of_another(jail: Sandbox) -> None:
    await jail.run(
        "import numpy, os\nnumpy.leak = 'secret'\nopen('left.txt', 'w').write('secret')\nos.environ['LEAK'] "
        "= 'secret'"
    )
    result = await jail.run(
        "import numpy, os\n(hasattr(numpy, 'leak'), sorted(os.listdir('.')), os.environ.get('LEAK'))"
    )
    assert result.result == "(False, ['.home', '.tmp'], None)"


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_contained(jail: Sandbox, name: str) -> None:
    code, statuses = BOMBS[name]
    result = await contained(jail, code, timeout_s=0.8 if "timeout" in statuses else PATIENCE_S)
    assert result.status in statuses, result.stderr[-500:]
    assert result.duration_ms < (10_000 if result.status == "timeout" else PATIENCE_S * 1000)
    assert len(result.stdout) + len(result.stderr) < 1_100_000


async def test_nothing_is_left_behind(jail: Sandbox) -> None:
    """Runs last over this jail: its zygote has no child, its folder no work folder."""
    await jail.tasks.drain(10)
    base = jail.runner._base
    assert base is not None
    assert sorted(names_in(base)) == ["canary", "lock", "probe", "root"]
    zygotes = [process for process in processes() if str(base).encode() in command_line(process)]
    assert len(zygotes) == 1
    assert [process for process in processes() if parent_of(process) == zygotes[0]] == []


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def about(process: int, what: str) -> bytes:
    """A file of /proc; nothing when the process is gone."""
    try:
        return Path(f"/proc/{process}/{what}").read_bytes()
    except OSError:
        return b""


def command_line(process: int) -> bytes:
    return about(process, "cmdline")


def parent_of(process: int) -> int:
    status = about(process, "stat").rpartition(b")")[2].split()
    return int(status[1]) if status else 0
