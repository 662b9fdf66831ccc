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

# Tries what it is given and says how that went; nothing here may end in "escaped".
PRELUDE = """
import ctypes, errno, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
outcomes = {}
def attempt(name, call):
    try:
        call()
    except OSError as error:
        outcomes[name] = errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        outcomes[name] = type(error).__name__
    else:
        outcomes[name] = "escaped"
def raw(number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
"""


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


FILES = """
import pathlib
for path in {paths!r}:
    attempt(f"read {{path}}", lambda: open(path, "rb").read())
    attempt(f"list {{path}}", lambda: os.listdir(path))
    attempt(f"append {{path}}", lambda: open(path, "ab"))
    attempt(f"truncate {{path}}", lambda: os.close(os.open(path, os.O_RDONLY | os.O_TRUNC)))
    attempt(f"truncate by name {{path}}", lambda: os.truncate(path, 0))
    attempt(f"delete {{path}}", lambda: os.unlink(path))
    attempt(f"rename {{path}}", lambda: os.rename(path, "taken"))
    attempt(f"hard link {{path}}", lambda: os.link(path, "link"))
    attempt(f"symbolic link {{path}}", lambda: os.symlink(path, "link"))
    attempt(f"openat2 {{path}}", lambda: raw(437, -100, path.encode(), bytes(24), 24))
for path in ("/proc/self/mem", "/proc/self/environ", "/proc/1/environ", "/proc/self/maps", "/sys/kernel",
    "/dev/mem", "/dev/shm"):
    attempt(f"open {{path}}", lambda: os.open(path, os.O_RDONLY))
    attempt(f"write {{path}}", lambda: os.open(path, os.O_RDWR))
    attempt(f"inside {{path}}", lambda: os.open(path + "/x", os.O_RDWR | os.O_CREAT))
attempt("up and out", lambda: open("../../../etc/passwd").read())
attempt("beside", lambda: os.listdir(".."))
attempt("library", lambda: open(os.__file__, "ab"))
attempt("beside the library", lambda: open(os.path.join(os.path.dirname(os.__file__), "planted.py"), "w"))
attempt("pipe", lambda: os.mkfifo("pipe"))
attempt("device", lambda: os.mknod("device", 0o20666, os.makedev(1, 1)))
attempt("unix socket file", lambda: os.mknod("socket", 0o140666))
"""


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


NETWORK = """
import urllib.request, asyncio
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET,
    socket.AF_VSOCK, socket.AF_ALG):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        attempt(f"socket {family} {kind}", lambda: socket.socket(family, kind))
attempt("loopback", lambda: socket.create_connection(("127.0.0.1", {port}), 1))
attempt("dns", lambda: socket.getaddrinfo("example.com", 80))
attempt("http", lambda: urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=1))
attempt("datagram pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("packet pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
left, right = socket.socketpair()
attempt("send elsewhere", lambda: left.sendto(b"x", "/run/socket"))
attempt("pass descriptors", lambda: socket.send_fds(left, [b"x"], [0]))
attempt("connect a pair", lambda: left.connect("/run/socket"))
attempt("listen on a pair", lambda: left.listen())
""".replace("{family}", "{{family}}").replace("{kind}", "{{kind}}")


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


PROCESSES = """
import subprocess, multiprocessing, signal, pty
parent = os.getppid()
attempt("fork", os.fork)
attempt("forkpty", pty.fork)
attempt("exec", lambda: os.execv(sys.executable, [sys.executable, "-c", "print('escaped')"]))
attempt("shell", lambda: os.posix_spawn("/bin/sh", ["sh"], {}))
attempt("subprocess", lambda: subprocess.run(["/bin/ls", "/"]))
attempt("multiprocessing", lambda: multiprocessing.get_context("fork").Process(target=print).start())
attempt("vfork", lambda: raw(58))
attempt("clone", lambda: raw(56, 17, 0, 0, 0, 0))
attempt("clone into a user namespace", lambda: raw(56, 0x10000000 | 17, 0, 0, 0, 0))
attempt("clone a thread into a network namespace", lambda: raw(56, 0x40000000 | 0x10f00, 0, 0, 0, 0))
attempt("clone3", lambda: raw(435, bytes(88), 88))
attempt("execveat", lambda: raw(322, -100, b"/bin/sh", None, None, 0))
attempt("memfd_create", lambda: raw(319, b"program", 0))
attempt("memfd_secret", lambda: raw(447, 0))
attempt("io_uring_setup", lambda: raw(425, 8, bytes(120)))
for name, target in (("parent", parent), ("pid 1", 1), ("all", -1), ("group", 0), ("group of parent",
    -parent)):
    attempt(f"signal {name}", lambda: os.kill(target, signal.SIGTERM))
attempt("tgkill parent", lambda: raw(234, parent, parent, 9))
attempt("tkill parent", lambda: raw(200, parent, 9))
attempt("queue to parent", lambda: raw(129, parent, 9, bytes(128)))
attempt("signals by a descriptor's owner", lambda: __import__("fcntl").fcntl(0, 8, parent))
attempt("limits of parent", lambda: __import__("resource").prlimit(parent, 7, (1, 1)))
attempt("priority of parent", lambda: os.setpriority(os.PRIO_PROCESS, parent, 19))
attempt("affinity of parent", lambda: os.sched_setaffinity(parent, {0}))
attempt("setuid", lambda: os.setuid(0))
attempt("setgid", lambda: os.setgid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("setsid", os.setsid)
attempt("personality", lambda: raw(135, 0x0040000))
attempt("dumpable", lambda: raw(157, 4, 1, 0, 0, 0))
attempt("keep on when the parent dies", lambda: raw(157, 1, 0, 0, 0, 0))
attempt("higher limit", lambda: __import__("resource").setrlimit(9, (-1, -1)))
attempt("shared memory", lambda: raw(29, 0, 4096, 0o1600))
attempt("message queue", lambda: raw(68, 0, 0o1600))
attempt("posix message queue", lambda: raw(240, b"queue", 0o102, 0o600, 0))
attempt("inotify", lambda: raw(253))
attempt("syslog", lambda: raw(103, 3, ctypes.create_string_buffer(100), 100))
attempt("landlock", lambda: raw(444, None, 0, 1))
attempt("seccomp", lambda: raw(317, 1, 0, None))
attempt("host name", lambda: raw(170, b"x", 1))
attempt("clock", lambda: __import__("time").clock_settime(0, 0))
"""


@pytest.mark.parametrize("which", ["own user", "shared user"])
async def test_no_process_is_started_signalled_or_changed(which: str, jails: dict[str, Sandbox]) -> None:
    jail = jails[which]
    found = await outcomes(jail, PROCESSES)
    assert len(found) > 40
    assert [name for name, outcome in found.items() if outcome == "escaped"] == []
    await still_answers(jail)


DEADLY = {
    "ptrace": "raw(101, 16, os.getppid(), 0, 0)",
    "process_vm_readv": "raw(310, os.getppid(), None, 0, None, 0, 0)",
    "process_vm_writev": "raw(311, os.getppid(), None, 0, None, 0, 0)",
    "mount": "raw(165, b'none', b'/', b'tmpfs', 0, None)",
    "unshare": "raw(272, 0x10000000)",
    "setns": "raw(308, 0, 0)",
    "chroot": "os.chroot('.')",
    "pivot_root": "raw(155, b'.', b'.')",
    "bpf": "raw(321, 0, None, 0)",
    "keyctl": "raw(250, 0, -3, 0)",
    "perf_event_open": "raw(298, None, 0, -1, -1, 0)",
    "userfaultfd": "raw(323, 0)",
    "open_by_handle_at": "raw(304, -100, None, 0)",
    "pidfd_open": "os.pidfd_open(os.getppid())",
    "init_module": "raw(175, None, 0, b'')",
    "x32 call": "raw(0x40000000 | 39)",
    # mov eax, 20 (getpid of 32 bits); int 0x80; ret
    "32-bit call": "import mmap; m = mmap.mmap(-1, 4096, prot=7); m.write(bytes.fromhex('b814000000cd80c3'));"
    " ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()",
}


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


BOMBS: dict[str, tuple[str, set[str]]] = {
    "endless loop": ("while True: pass", {"timeout"}),
    "loop that swallows everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        {"timeout"},
    ),
    "loop in native code": ("import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')", {"timeout"}),
    "deaf to signals": (
        "import signal\nfor n in range(1, 32):\n    if n not in (9, 19): signal.signal(n, "
        "signal.SIG_IGN)\nwhile 1: pass",
        {"timeout"},
    ),
    "forks": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"timeout"}),
    "threads": (
        "import threading, time\nthreading.stack_size(32768)\nwhile True:\n    "
        "threading.Thread(target=time.sleep, args=(60,)).start()",
        {"error", "killed", "timeout"},
    ),
    "memory": ("held = []\nwhile True: held.append(bytearray(10_000_000))", {"memory_exceeded"}),
    "memory at once": ("bytearray(1 << 40)", {"memory_exceeded"}),
    "memory of numpy": (
        "import numpy\nheld = [numpy.ones(10_000_000) for _ in range(1000)]",
        {"memory_exceeded"},
    ),
    "mapped memory": (
        "import mmap\nheld = [mmap.mmap(-1, 1 << 28) for _ in range(100)]",
        {"error", "memory_exceeded"},
    ),
    "output": ("while True: print('x' * 1000)", {"output_exceeded"}),
    "errors": ("import os\nwhile True: os.write(2, b'x' * 65536)", {"output_exceeded"}),
    "many files": ("n = 0\nwhile True:\n    open(f'f{n}', 'w').close(); n += 1", {"output_exceeded"}),
    "one big file": (
        "f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        {"error", "output_exceeded"},
    ),
    "big files": (
        "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(bytes(1 << 23)); n += 1",
        {"output_exceeded"},
    ),
    "deleted files that stay open": (
        "import os\nheld = []\nwhile True:\n    f = open('f', 'wb', buffering=0); os.unlink('f'); "
        "f.write(bytes(1 << 22)); held.append(f)",
        {"output_exceeded"},
    ),
    "deleted files that stay mapped": (
        "import mmap, os\nheld = []\nwhile True:\n    f = open('f', 'w+b'); f.truncate(1 << 22); m = "
        "mmap.mmap(f.fileno(), 1 << 22)\n"
        "    m[:] = bytes(1 << 22); held.append(m); os.unlink('f'); f.close()",
        {"output_exceeded"},
    ),
    "deep folders": ("import os\nwhile True:\n    os.mkdir('d'); os.chdir('d')", {"output_exceeded"}),
    "unreadable folders": ("import os\nfor n in range(9):\n    os.mkdir('d', 0o300); os.chdir('d')", {"ok"}),
    "recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
        {"error", "killed", "memory_exceeded", "timeout"},
    ),
    "crash": ("import ctypes\nctypes.string_at(0)", {"killed"}),
}


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
