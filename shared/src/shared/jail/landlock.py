"""Landlock: which files a process can open, from kernel 5.13 on
(Documentation/userspace-api/landlock.rst).
"""

import ctypes
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.jail.kernel import PR_SET_NO_NEW_PRIVS, check, prctl, syscall

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _REFER, _TRUNCATE = 1 << 7, 1 << 8, 1 << 13, 1 << 14

READ_FILE = _READ_FILE
READ = _READ_FILE | _READ_DIR
# No symbolic links, sockets, pipes or devices can be made.
WORK = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
READ_WRITE_FILE = _READ_FILE | _WRITE_FILE | _TRUNCATE
_FILE_RIGHTS = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | 1 << 15

# Rights the kernel knows, by ABI: from 13 of the first to moving, truncating and ioctl on devices.
_HANDLED_FS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_HANDLED_FS_NEWEST = (1 << 16) - 1
_NET_TCP = 0b11  # bind and connect, ABI 4
_SCOPE = 0b11  # abstract unix sockets and signals, ABI 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done at and below an open file or folder."""

    descriptor: int
    rights: int


def abi() -> int:
    """The newest version of Landlock this kernel speaks; 0 when it has none."""
    return max(0, syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def rule(path: Path, rights: int) -> Rule | None:
    """A rule for `path`, None when there is no such path. The descriptor stays open for the life of the
    process.
    """
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rights &= _FILE_RIGHTS
    return Rule(descriptor, rights)


def restrict(rules: Sequence[Rule]) -> None:
    """Close everything but `rules` to this process, for good. Raises: OSError."""
    version = abi()
    if version < 1:
        raise OSError("this kernel has no Landlock")
    handled = _HANDLED_FS.get(version, _HANDLED_FS_NEWEST)
    attributes = _Ruleset(handled, _NET_TCP if version >= 4 else 0, _SCOPE if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = check(
        syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)),
        "landlock_create_ruleset",
    )
    try:
        for each in rules:
            beneath = _PathBeneath(each.rights & handled, each.descriptor)
            arguments = (
                ctypes.c_int(ruleset),
                ctypes.c_int(_PATH_BENEATH),
                ctypes.byref(beneath),
                ctypes.c_uint32(0),
            )
            check(syscall(_ADD_RULE, *arguments), "landlock_add_rule")
        prctl(PR_SET_NO_NEW_PRIVS, 1, "no_new_privs")
        check(syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)), "landlock_restrict_self")
    finally:
        os.close(ruleset)
