"""Programs that try to get out of the code sandbox, and what each is to come to."""

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
