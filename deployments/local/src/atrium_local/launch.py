"""Start a program that dies with its parent: run as `python -I -S launch.py PARENT_PID SIGNAL PROGRAM
[ARG...]`.

A tiny program of its own instead of a preexec hook: hooks run Python between fork and exec, which can
deadlock in a process with threads. On Linux the kernel sends SIGNAL when the parent dies, kill -9 included;
elsewhere the supervisor cleans up at its next start.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process to its parent, then become the program."""
    parent_pid, signal_number, *command = sys.argv[1:]
    if sys.platform == "linux" and int(signal_number):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != int(parent_pid):  # the parent died before the line above
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the program is the purpose


if __name__ == "__main__":
    main()
