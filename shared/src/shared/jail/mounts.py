"""A file tree that holds only what a run may read, no network device, no /proc: for a zygote that may mount,
as root or in a namespace.
"""

import ctypes
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from shared.jail.kernel import LIBC, check, syscall

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_NEW_NAMESPACES = (
    0x00020000 | 0x40000000 | 0x08000000 | 0x04000000
)  # mounts, network, System V IPC, host name
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_NEW_USER, _NEW_NET, _NEW_IPC, _NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
_HOST_NAME = b"sandbox"
DEVICES = tuple(Path(name) for name in ("/dev/null", "/dev/zero", "/dev/urandom"))


def supported() -> bool:
    """Whether we know how to swap the root on this machine."""
    return platform.machine() in _PIVOT_ROOT


def hide_host_name(*, own_user: bool) -> None:
    """Give this process another host name, where the kernel lets it: as root, else in a user namespace where
    plain users may have one.

    `own_user`: this process never becomes another user, which such a namespace would not let it. For a
    process with one thread.
    """
    if LIBC.unshare(ctypes.c_int(_NEW_UTS)) < 0:
        uid, gid = os.getuid(), os.getgid()
        if not own_user or LIBC.unshare(ctypes.c_int(_NEW_USER | _NEW_UTS | _NEW_NET | _NEW_IPC)) < 0:
            return
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            Path("/proc/self", name).write_text(text)
    LIBC.sethostname(_HOST_NAME, ctypes.c_size_t(len(_HOST_NAME)))


def leave_namespaces() -> None:
    """A network, System V IPC and host name of its own, without any privilege. For a process with one thread.
    Raises: OSError.
    """
    check(LIBC.unshare(ctypes.c_int(_NEW_USER | _NEW_NET | _NEW_IPC | _NEW_UTS)), "unshare")


def enter(stage: Path, *, readable: Sequence[Path], writable: Sequence[Path]) -> None:
    """Make a tree under the empty folder `stage` and go there for good. Paths keep their names. Raises:
    OSError.
    """
    check(LIBC.unshare(ctypes.c_int(_NEW_NAMESPACES)), "unshare")
    _mount(None, Path("/"), _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", stage, _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, kind="tmpfs", options="mode=0755,size=1m")
    for path in readable:
        # Libraries are mapped executable, so these are not noexec.
        _bind(path, stage, _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for path in writable:
        _bind(path, stage, _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    for path in DEVICES:
        _bind(path, stage, _MS_NOSUID | _MS_NOEXEC)
    for name in ("lib", "lib64"):  # the loader's cache names libraries by these
        link = Path("/", name)
        if link.is_symlink() and not (stage / name).exists():
            (stage / name).symlink_to(link.readlink())
    _mount(None, stage, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    os.chdir(stage)
    here = ctypes.c_char_p(b".")
    check(syscall(_PIVOT_ROOT[platform.machine()], here, here), "pivot_root")
    check(LIBC.umount2(here, ctypes.c_int(_MNT_DETACH)), "umount")
    os.chdir("/")


def _bind(path: Path, stage: Path, flags: int) -> None:
    for name in {path.absolute(), path.resolve()}:
        target = stage / name.relative_to("/")
        if target.exists():  # inside a folder that is there already
            continue
        if path.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        _mount(str(path), target, _MS_BIND)
        _mount(None, target, _MS_REMOUNT | _MS_BIND | flags)


def _mount(
    source: str | None, target: Path, flags: int, *, kind: str | None = None, options: str | None = None
) -> None:
    encoded = [None if each is None else each.encode() for each in (source, str(target), kind, options)]
    result = LIBC.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    check(result, f"mount {target}")
