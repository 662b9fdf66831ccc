"""The system calls a confined process may make, as a seccomp filter. Everything that is not named here is
refused.
"""

import errno
import importlib
import os
from typing import Any


def _names(text: str) -> list[str]:
    return text.split()


_ACCESS = os.O_ACCMODE
_CLONE_THREAD = 0x00010000
# All namespaces (CLONE_NEW*), CLONE_PTRACE, CLONE_VFORK and CLONE_UNTRACED.
_CLONE_NEVER = 0x7E020000 | 0x00000080 | 0x00002000 | 0x00004000 | 0x00800000
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
_FCNTL = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    36,
    37,
    38,
    1030,
)  # duplicate, flags and locks; nothing that sends signals or seals
_IOCTL = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # is it a terminal, its size, bytes waiting, blocking, close on exec
_NO_SUCH_NAME = -1
_PRCTL = (15, 16)  # the name of a thread

_ALLOWED = _names("""
read write readv writev pread64 pwrite64 preadv pwritev close close_range lseek
fstat newfstatat stat lstat statx fstatfs statfs access faccessat faccessat2 getdents64 getcwd chdir fchdir
rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat readlink readlinkat ftruncate fallocate fsync
fdatasync sync_file_range flock copy_file_range sendfile fadvise64 readahead dup dup2 dup3 pipe pipe2 poll
ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 recvfrom shutdown
mmap munmap mremap mprotect madvise brk msync membarrier umask
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause
restart_syscall setitimer getitimer alarm getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid
getegid getgroups getresuid getresgid getpriority uname sysinfo times getrusage getrlimit setrlimit getcpu
sched_getaffinity sched_yield sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time
futex set_robust_list set_tid_address rseq exit exit_group getrandom
""")

# Rights and times of files are answered with success and not changed: Landlock does not guard them, and where
# the sandbox runs under the service's own user they could reach its files.
_PRETENDED = _names(
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat futimesat"
)

# Extended attributes are not guarded either; programs take this for a file system without them.
_UNSUPPORTED = _names("""
setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr
lremovexattr fremovexattr
""")

_UNKNOWN = _names("clone3 openat2 io_uring_setup io_uring_enter io_uring_register")

# Nobody needs these by mistake: the run ends.
_DEADLY = _names("""
ptrace process_vm_readv process_vm_writev process_madvise kcmp bpf perf_event_open userfaultfd
keyctl add_key request_key init_module finit_module delete_module kexec_load kexec_file_load reboot swapon
swapoff
mount umount2 pivot_root chroot unshare setns open_by_handle_at move_mount open_tree fsopen fsmount fsconfig
fspick mount_setattr pidfd_open pidfd_getfd pidfd_send_signal iopl ioperm modify_ldt acct quotactl
""")


def build() -> Any:
    """The filter without what depends on the process. Raises: OSError or RuntimeError when libseccomp is
    missing or too old.
    """
    try:
        library = importlib.import_module("pyseccomp")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise RuntimeError("libseccomp cannot be loaded; install it (Debian: libseccomp2)") from error
    argument, allow = library.Arg, library.ALLOW
    rules = library.SyscallFilter(library.ERRNO(errno.EPERM))
    rules.set_attr(library.Attr.ACT_BADARCH, library.KILL_PROCESS)  # 32-bit and x32 calls have other numbers
    answers = (
        (allow, _ALLOWED),
        (library.ERRNO(0), _PRETENDED),
        (library.ERRNO(errno.ENOTSUP), _UNSUPPORTED),
        (library.ERRNO(errno.ENOSYS), _UNKNOWN),
        (library.KILL_PROCESS, _DEADLY),
    )
    for answer, names in answers:
        for name in names:
            # One that this libseccomp has no name for gets the answer of everything unnamed: EPERM.
            if library.resolve_syscall(library.Arch.NATIVE, name) != _NO_SUCH_NAME:
                rules.add_rule(answer, name)
    rules.add_rule(
        allow, "clone", argument(0, library.MASKED_EQ, _CLONE_THREAD | _CLONE_NEVER, _CLONE_THREAD)
    )
    for place, name in ((1, "open"), (2, "openat")):
        # Before ABI 3 Landlock does not see that opening for reading truncates.
        rules.add_rule(allow, name, argument(place, library.MASKED_EQ, os.O_TRUNC, 0))
        for mode in (os.O_WRONLY, os.O_RDWR):
            rules.add_rule(
                allow, name, argument(place, library.MASKED_EQ, os.O_TRUNC | _ACCESS, os.O_TRUNC | mode)
            )
    for values, name, place in ((_FCNTL, "fcntl", 1), (_IOCTL, "ioctl", 1), (_PRCTL, "prctl", 0)):
        for value in values:
            rules.add_rule(allow, name, argument(place, library.MASKED_EQ, 0xFFFFFFFF, value))
    # A pair of connected sockets is what asyncio wakes itself with; they reach nobody else.
    rules.add_rule(
        allow,
        "socketpair",
        argument(0, library.EQ, _AF_UNIX),
        argument(1, library.MASKED_EQ, _SOCK_TYPE_MASK, _SOCK_STREAM),
    )
    rules.add_rule(allow, "sendto", argument(4, library.EQ, 0))
    rules.add_rule(allow, "prlimit64", argument(0, library.EQ, 0))
    return rules


def load(rules: Any) -> None:
    """Put the filter on this process for good; signals reach this process only."""
    library = importlib.import_module("pyseccomp")
    own = os.getpid()
    for name in ("kill", "tgkill"):
        rules.add_rule(library.ALLOW, name, library.Arg(0, library.EQ, own))
    rules.load()
