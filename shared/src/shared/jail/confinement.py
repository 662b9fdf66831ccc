"""All restrictions of a process in their order.

`prepare` and `confine` are for a zygote and its children; `confine_reader` is for a process that reads one
open file and answers.
"""

import contextlib
import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.jail import landlock, mounts, privileges
from shared.jail.adapters import seccomp
from shared.jail.privileges import Rlimits

_SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/usr/share/zoneinfo",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
)
_SHALLOW = 2  # a folder nearer to the root than this is never opened as a whole
_PRIVATE = 0o077


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the children of a zygote get. `layers` names them for people."""

    rules: tuple[landlock.Rule, ...]
    calls: Any
    layers: tuple[str, ...]


def readable_paths(extra: Sequence[Path]) -> list[Path]:
    """The Python installation, the folders of libraries that are mapped now, fonts, time zones and
    `extra`.
    """
    wanted = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    wanted += _mapped_libraries()
    wanted += [Path(name) for name in _SYSTEM_FILES]
    found: list[Path] = []
    for path in sorted({path.absolute() for path in (*wanted, *extra) if path.exists()}):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def _mapped_libraries() -> list[Path]:
    mapped = {
        Path(line.split(maxsplit=5)[5])
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "/" in line
    }
    libraries = [path for path in mapped if ".so" in path.name]
    return [path.parent if len(path.parts) > _SHALLOW + 1 else path for path in libraries]


def prepare(
    base: Path, *, uid_first: int | None, extra: Sequence[Path], own_tree: bool = True
) -> Confinement:
    """Confine this process as far as its work allows, and get its children's restrictions ready. Call once,
    after all imports.

    Args:
        base: the folder with the work folders of the runs, and an empty folder `root`.
        uid_first: set when this process is root: the first of the users its children become.
        extra: further folders that runs can read.
        own_tree: False leaves a process that is not root in the tree of the machine.

    Raises:
        OSError: the kernel refuses what is indispensable.
        RuntimeError: the same of a library; the message says what to do.
    """
    calls = seccomp.build()
    version = _landlock()
    readable = readable_paths(extra)
    layers = [f"landlock {version}", "seccomp", "rlimits"]
    _be_first_to_die()
    if uid_first is not None:
        layers.append("own users")
    may_mount = mounts.supported() and privileges.has_capability(privileges.CAP_SYS_ADMIN)
    if (
        may_mount
        and (own_tree or uid_first is not None)
        and _enter_tree(base, readable, needed=uid_first is not None)
    ):
        layers += ["own file tree", "no network device"]
    found = [landlock.rule(path, landlock.READ) for path in readable]
    found += [landlock.rule(path, landlock.READ_WRITE_FILE) for path in mounts.DEVICES]
    rules = tuple(each for each in found if each is not None)
    if uid_first is not None:
        privileges.keep_few_capabilities()
    return Confinement(rules, calls, tuple(layers))


def _enter_tree(base: Path, readable: Sequence[Path], *, needed: bool) -> bool:
    """Go to a file tree that holds nothing else. Raises: OSError when it is `needed` and cannot be made.

    A plain user has the right to make one in a user namespace of its own, where the system allows that; some
    allow the namespace alone.
    """
    try:
        mounts.enter(base / "root", readable=readable, writable=[base])
    except OSError:
        if needed:
            raise
        return False
    return True


def _landlock() -> int:
    version = landlock.abi()
    if version < 1:
        raise RuntimeError("the kernel has no Landlock; Linux 5.13 or newer with lsm=landlock is needed")
    return version


def _be_first_to_die() -> None:
    """Ask the kernel to take this process and its children first when the machine is out of memory."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        sys.stderr.write("jail: oom_score_adj cannot be set\n")


def confine(
    confinement: Confinement, *, work: Path, uid: int | None, limits: Rlimits, parent: int, kept: int = 3
) -> None:
    """Put everything on this process, a fresh child of the zygote; descriptors above `kept` are closed.

    Raises: OSError; the child must end then.
    """
    os.setsid()
    os.umask(_PRIVATE)
    privileges.limit(limits)
    if uid is not None:
        privileges.become(uid)
    os.chdir(work)
    privileges.drop_capabilities()
    own = landlock.rule(Path(), landlock.WORK)
    if own is None:
        raise OSError("the work folder is gone")
    privileges.die_with(parent)
    if uid is not None:
        # Under the service's own user it stays open to the service, which counts what the run holds; runs
        # have no /proc and no tracing.
        privileges.close_to_tracing()
    landlock.restrict((*confinement.rules, own))
    os.closerange(kept + 1, 1 << 20)
    seccomp.load(confinement.calls)


def confine_reader(limits: Rlimits, *, document: int, readable: Sequence[Path]) -> None:
    """Put everything on this process for good: it reads the open file `document`, the Python installation and
    `readable`.

    It opens no other file, makes and writes none, starts neither process nor program, and opens no socket;
    what it says leaves by its standard streams. Call with one thread, when all that is imported by name has
    been imported.

    Raises:
        OSError: the kernel refuses; the process must end then.
        RuntimeError: the same of a library or an older kernel; the message says what to do.
    """
    calls = seccomp.build()
    _landlock()
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - a Path for each is not needed
        raise RuntimeError("a library has started a thread, which the restrictions would not reach")
    _be_first_to_die()
    os.umask(_PRIVATE)
    os.chdir("/")
    # No network device and no names of others where a plain user may have this; the layers below hold without
    # it.
    with contextlib.suppress(OSError):
        mounts.leave_namespaces()
    privileges.limit(limits)
    privileges.drop_capabilities()
    privileges.close_to_tracing()
    found = [landlock.rule(path, landlock.READ) for path in readable_paths(readable)]
    found += [landlock.rule(path, landlock.READ_WRITE_FILE) for path in mounts.DEVICES]
    rules = [each for each in found if each is not None]
    landlock.restrict((*rules, landlock.Rule(document, landlock.READ_FILE)))
    os.closerange(3, document)
    os.closerange(document + 1, 1 << 20)
    seccomp.load(calls)
