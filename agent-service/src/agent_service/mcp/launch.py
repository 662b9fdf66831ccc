"""Start a program that dies with its parent: run as `python -I -S launch.py PARENT_PID PROGRAM [ARG...]`.

A program of its own instead of a preexec hook: hooks run Python between fork and exec, which can deadlock in
a process with threads. On Linux the kernel kills the program when the parent dies, kill -9 included;
elsewhere it sees its input end.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process to its parent, then become the program."""
    parent_pid, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != int(parent_pid):  # the parent died before the line above
            sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
