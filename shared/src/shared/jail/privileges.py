"""Giving up what a process may do: capabilities, user and group, memory, time."""

import ctypes
import os
import resource
import signal
from dataclasses import dataclass

from shared.jail.kernel import LIBC, PR_CAPBSET_DROP, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, check, prctl

CAP_SYS_PTRACE, CAP_SYS_ADMIN = 19, 21
_CAP_KILL, _CAP_SETGID, _CAP_SETUID = 5, 6, 7
_KEPT = 1 << _CAP_KILL | 1 << _CAP_SETGID | 1 << _CAP_SETUID
_CAPS_MAX = 64
_VERSION_3 = 0x20080522
_NICE = 10
_STACK_BYTES = 8 * 1024 * 1024


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Caps(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@dataclass(frozen=True, slots=True)
class Rlimits:
    """Of one run. `threads` None: the user is shared, and a limit by user would count what is not ours."""

    memory_bytes: int
    cpu_s: int
    file_bytes: int
    descriptors: int
    threads: int | None


def has_capability(number: int) -> bool:
    """Whether this process holds it."""
    header, caps = _Header(_VERSION_3, 0), (_Caps * 2)()
    check(LIBC.capget(ctypes.byref(header), caps), "capget")
    return bool(caps[number // 32].effective >> (number % 32) & 1)


def keep_few_capabilities() -> None:
    """What remains to root: to change user and group and to end its children."""
    for number in range(_CAPS_MAX):
        if not _KEPT >> number & 1:
            LIBC.prctl(
                PR_CAPBSET_DROP,
                ctypes.c_ulong(number),
                ctypes.c_ulong(0),
                ctypes.c_ulong(0),
                ctypes.c_ulong(0),
            )
    _set_capabilities(_KEPT)


def drop_capabilities() -> None:
    """None is left; a change of user has done this already, a run under the service's own user needs it."""
    _set_capabilities(0)


def _set_capabilities(mask: int) -> None:
    header, caps = _Header(_VERSION_3, 0), (_Caps * 2)()
    caps[0] = _Caps(mask, mask, 0)
    check(LIBC.capset(ctypes.byref(header), caps), "capset")


def become(uid: int) -> None:
    """Another user and group, no other groups, and with that no capability. Raises: OSError."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def die_with(parent: int) -> None:
    """The kernel ends this process with its parent. Call after the last change of user, which forgets it."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, "parent death signal")
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the line above


def close_to_tracing() -> None:
    """Other processes of the same user cannot look into this one."""
    prctl(PR_SET_DUMPABLE, 0, "dumpable")


def limit(limits: Rlimits) -> None:
    """Set the limits of this process; lower ones that it has already stay. Raises: OSError, ValueError."""
    os.nice(_NICE)
    _set(resource.RLIMIT_AS, limits.memory_bytes)
    _set(resource.RLIMIT_CPU, limits.cpu_s)
    _set(resource.RLIMIT_FSIZE, limits.file_bytes)
    _set(resource.RLIMIT_NOFILE, limits.descriptors)
    _set(resource.RLIMIT_STACK, _STACK_BYTES)
    _set(resource.RLIMIT_MEMLOCK, 0)
    _set(resource.RLIMIT_MSGQUEUE, 0)
    _set(resource.RLIMIT_CORE, 0)
    if limits.threads is not None:
        _set(resource.RLIMIT_NPROC, limits.threads)


def _set(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))
