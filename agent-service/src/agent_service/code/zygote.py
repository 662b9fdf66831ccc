"""The process that every run of code is a fork of: it loads the libraries once, restricts itself, and forks
on demand.

It is executed afresh with an empty environment and never sees a secret. When its socket closes it ends, with
all its children.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import sysconfig
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from shared.jail import confinement, mounts, selftest
from shared.jail.confinement import Confinement
from shared.jail.privileges import Rlimits

from agent_service.code import interpreter
from agent_service.code.adapters import libraries
from agent_service.code.protocol import CONFINED, MESSAGE_BYTES_MAX, Job, Start

_CONTROL_FD = _REPORT_FD = 3
_WORD_FD = 4
_REFUSED = 70
_SELF_TEST_S = 20


class Zygote:
    """Forks, ends and reaps."""

    def __init__(self, control: socket.socket, confinement: Confinement) -> None:
        self._control = control
        self._confinement = confinement
        self._children: dict[int, tuple[int, int]] = {}  # id of the run: process, its pidfd
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Until the service closes its end."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._reap(key.data)
                elif not self._hear():
                    return

    def end_all(self) -> None:
        """Kill and reap what runs."""
        for run_id in list(self._children):
            self._kill(run_id)
            os.waitpid(self._children[run_id][0], 0)

    def _hear(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES_MAX, 5)
        if not data:
            return False
        message = json.loads(data)
        if message["do"] == "kill":
            self._kill(message["id"])
            return True
        try:
            self._start(message["id"], descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _start(self, run_id: int, descriptors: list[int]) -> None:
        job, stdout, stderr, report, word = descriptors
        try:
            process = os.fork()
        except OSError:
            self._say({"id": run_id, "status": None})
            return
        if process == 0:
            become_run(self._confinement, job=job, streams=(stdout, stderr, report, word))
        pidfd = os.pidfd_open(process)
        self._children[run_id] = (process, pidfd)
        self._selector.register(pidfd, selectors.EVENT_READ, run_id)
        self._say({"id": run_id, "process": process})

    def _kill(self, run_id: int) -> None:
        if (child := self._children.get(run_id)) is None:
            return
        for end in (os.killpg, os.kill):  # it may not lead its group yet
            with contextlib.suppress(ProcessLookupError):
                end(child[0], signal.SIGKILL)

    def _reap(self, run_id: int) -> None:
        process, pidfd = self._children.pop(run_id)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(process, 0)
        self._say({"id": run_id, "status": status})

    def _say(self, message: dict[str, Any]) -> None:
        self._control.send(json.dumps(message).encode())


def become_run(confinement_: Confinement, *, job: int, streams: tuple[int, int, int, int]) -> NoReturn:
    """The whole life of a child. Nothing of the person's code runs unless every restriction is on."""
    parent = os.getppid()
    try:
        with os.fdopen(job, "rb", closefd=False) as file:
            task = Job(**json.load(file))
        _take_streams(streams)
        limits = Rlimits(task.memory_bytes, task.cpu_s, task.file_bytes, task.descriptors, task.threads)
        confinement.confine(
            confinement_, work=Path(task.work), uid=task.uid, limits=limits, parent=parent, kept=_WORD_FD
        )
        interpreter.settle_in(_readable_modules())
        os.write(_WORD_FD, CONFINED)
        os.close(_WORD_FD)
    except BaseException as error:  # noqa: BLE001 - fail closed: say why and end
        os.write(_REPORT_FD, json.dumps({"refused": f"{type(error).__name__}: {error}"[:500]}).encode())
        os._exit(_REFUSED)
    report = interpreter.run(task.code)
    with contextlib.suppress(BaseException):
        _write_all(json.dumps(asdict(report)).encode())
    os._exit(0)


def _take_streams(streams: tuple[int, int, int, int]) -> None:
    # Out of the way first: a target number may be the number of another of them.
    high = [os.dup(descriptor) for descriptor in streams]
    for target, descriptor in zip((1, 2, _REPORT_FD, _WORD_FD), high, strict=True):
        os.dup2(descriptor, target, inheritable=False)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(_REPORT_FD, data) :]


def _readable_modules() -> list[str]:
    """What remains of sys.path: the installation, not the sources of this service."""
    roots = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [each for each in sys.path if any(Path(each).is_relative_to(root) for root in roots)]


def self_test(confinement_: Confinement, start: Start) -> str | None:
    """Why the sandbox does not hold, from a child that tries to get out; None when it holds."""
    reading, writing = os.pipe()
    base, parent = Path(start.base), os.getpid()
    process = os.fork()
    if process == 0:
        try:
            os.dup2(writing, _REPORT_FD, inheritable=False)
            limits = Rlimits(1 << 30, _SELF_TEST_S, 1 << 20, 64, None if start.uid_first is None else 64)
            confinement.confine(
                confinement_, work=base / "probe", uid=start.uid_first, limits=limits, parent=parent
            )
            answer: dict[str, Any] = {"failures": selftest.failures(base / "canary")}
        except BaseException as error:  # noqa: BLE001 - whatever it is, the sandbox does not hold
            answer = {"failures": [f"{type(error).__name__}: {error}"]}
        _write_all(json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read(10_000)
    _, status = os.waitpid(process, 0)
    if not said:
        return f"the self-test of the sandbox gave no answer (status {status})"
    failures = json.loads(said)["failures"]
    return f"the self-test of the sandbox failed: {'; '.join(failures)}" if failures else None


def main() -> int:
    """Load, restrict, test, say so, serve."""
    start = Start(**json.loads(sys.argv[1]))
    # Numbers 3 and 4 are ours until a child makes them its report and its word: no other descriptor that a
    # child needs may have them.
    if start.control != _CONTROL_FD:
        os.dup2(start.control, _CONTROL_FD)
        os.close(start.control)
    os.dup2(_CONTROL_FD, _WORD_FD, inheritable=False)  # taken, so that nothing a child needs gets this number
    control = socket.socket(fileno=_CONTROL_FD)
    control.set_inheritable(False)
    try:
        # Before anything is loaded that remembers the name of the machine.
        mounts.hide_host_name(own_user=start.uid_first is None)
        if start.libraries:
            with warnings.catch_warnings(action="ignore"):
                libraries.warm_up()
        confined = confinement.prepare(
            Path(start.base), uid_first=start.uid_first, extra=[Path(start.cache)], own_tree=start.own_tree
        )
        reason = self_test(confined, start)
    except (OSError, RuntimeError, ImportError) as error:
        reason, confined = str(error), None
    if reason is not None or confined is None:
        control.send(json.dumps({"failed": reason}).encode())
        return 1
    gc.collect()
    gc.freeze()  # the collector of a child leaves the pages it shares with us alone
    control.send(json.dumps({"ready": confined.layers}).encode())
    zygote = Zygote(control, confined)
    try:
        zygote.serve()
    except OSError:
        zygote.end_all()
        return 1
    zygote.end_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
