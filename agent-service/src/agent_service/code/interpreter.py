"""Runs one piece of Python as a script, in a process that is already confined, and says how it went."""

import ast
import contextlib
import io
import linecache
import os
import sys
import threading
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent_service.code.adapters import libraries

FILENAME = "main.py"
RESULT_CHARS_MAX = 64_000
_PLOTS_MAX = 16
_CUT = " ... (cut)"


@dataclass(slots=True)
class Report:
    """How a run ended; the parent takes it as a claim of untrusted code, not as a fact."""

    status: Literal["ok", "error", "memory_exceeded"] = "ok"
    result: str | None = None
    truncated: bool = False


def settle_in(readable_only: list[str]) -> None:
    """Make this process look like a fresh interpreter in its work folder."""
    home = Path.cwd()
    for name in (".home", ".tmp"):
        (home / name).mkdir(exist_ok=True)
    os.environ.clear()
    os.environ.update(
        {
            "HOME": str(home / ".home"),
            "TMPDIR": str(home / ".tmp"),
            "MPLCONFIGDIR": str(home / ".home"),
            "LANG": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
    )
    # Line by line: what was printed before a time-out has left the process by then.
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(
        io.FileIO(1, "wb", closefd=False), "utf-8", "backslashreplace", write_through=True
    )
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(
        io.FileIO(2, "wb", closefd=False), "utf-8", "backslashreplace", write_through=True
    )
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, "rb", closefd=False)), "utf-8", "replace"
    )
    sys.argv = [FILENAME]
    sys.path[:] = [str(home), *readable_only]
    sys.dont_write_bytecode = True
    libraries.fresh_randomness()


def run(code: str) -> Report:
    """Run `code`. Its output goes to stdout and stderr; the value of a last bare expression into
    the report.
    """
    report = Report()
    try:
        _run(code, report)
        _finish()
    except MemoryError as error:
        report.status = "memory_exceeded"
        _tell(error)
    except SystemExit as error:
        report.status = _exit_status(error.code)
        _quietly_finish()
    except BaseException as error:  # noqa: BLE001 - the edge of a person's program
        report.status = "error"
        _tell(error)
        _quietly_finish()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    return report


def _run(code: str, report: Report) -> None:
    module = types.ModuleType("__main__")
    module.__dict__["__file__"] = FILENAME
    sys.modules["__main__"] = module
    linecache.cache[FILENAME] = (len(code), None, code.splitlines(keepends=True), FILENAME)
    tree = ast.parse(code, FILENAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    # The purpose of this process.
    exec(compile(tree, FILENAME, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    if isinstance(last, ast.Expr):
        expression = compile(ast.Expression(last.value), FILENAME, "eval", dont_inherit=True)
        value = eval(expression, module.__dict__)  # noqa: S307 - as above
        if value is not None:
            text = repr(value).encode("utf-8", "backslashreplace").decode()
            report.truncated = len(text) > RESULT_CHARS_MAX
            report.result = text[:RESULT_CHARS_MAX] + _CUT if report.truncated else text


def _finish() -> None:
    """What an interpreter does at its end: wait for threads; then keep the plots nobody saved."""
    # As at the end of every script.
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    libraries.save_open_plots(_PLOTS_MAX)


def _quietly_finish() -> None:
    with contextlib.suppress(BaseException):
        _finish()


def _exit_status(code: Any) -> Literal["ok", "error"]:
    """As Python itself: None and 0 are good, a text goes to stderr."""
    if code is None or code == 0:
        return "ok"
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
    return "error"


def _tell(error: BaseException) -> None:
    """The traceback from the person's first line on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != FILENAME:
        trace = trace.tb_next
    with contextlib.suppress(BaseException):
        traceback.print_exception(type(error), error, trace, file=sys.stderr)
