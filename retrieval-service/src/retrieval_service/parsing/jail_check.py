"""Whether this machine can shut the reader of files in: a process that is shut in as it is tries to get out.

`python -m retrieval_service.parsing.jail_check CANARY DOCUMENT` is that process; `JailCheck` is the service's
side.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

from shared.jail import selftest

from retrieval_service.parsing.job import ParseJob, ParseLimits
from retrieval_service.parsing.process import ENVIRONMENT, command
from retrieval_service.parsing.worker import shut_in

log = logging.getLogger(__name__)

_WAIT_S = 60
_ANSWER_BYTES_MAX = 10_000


class JailCheck:
    """`look` asks until the answer is yes; `reason` is what is known."""

    def __init__(self, *, folder: Path, confined: bool) -> None:
        self._folder = folder
        self._holds = not confined
        self.reason = (
            None if confined else "PARSER_CONFINEMENT=limits: files are read by a process that is not shut in"
        )
        """Why files are not read here, or less safely; None: the reader is shut in, or nobody has asked yet.
        """

    async def look(self) -> None:
        """Call at start and now and then: a machine may have been short of something."""
        if self._holds:
            return
        reason = await self._ask()
        self._holds = reason is None
        self.reason = None if reason is None else f"no file can be read: {reason}"
        if reason is not None:
            log.error("files cannot be read: the reader cannot be shut in", extra={"reason": reason})

    async def _ask(self) -> str | None:
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(self._folder.mkdir, 0o700, True, True)
            canary, document = (
                stack.enter_context(tempfile.NamedTemporaryFile(dir=self._folder)) for _ in range(2)
            )
            process = await asyncio.create_subprocess_exec(
                *command("retrieval_service.parsing.jail_check"),
                canary.name,
                str(document.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=ENVIRONMENT,
                pass_fds=(document.fileno(),),
                cwd="/",
            )
            try:
                async with asyncio.timeout(_WAIT_S):
                    said, _ = await process.communicate()
            except TimeoutError:
                return f"its self-test gave no answer within {_WAIT_S} s"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
        return _reason_of(said[:_ANSWER_BYTES_MAX], process.returncode)


def _reason_of(said: bytes, status: int | None) -> str | None:
    try:
        failures: list[str] = json.loads(said)
    except ValueError:
        return f"its self-test gave no answer (status {status})"
    return f"its self-test failed: {'; '.join(failures)}" if failures else None


def main(canary: str, document: str) -> None:
    """Get in as the reader does, try to get out, say what went wrong as JSON."""
    limits = ParseLimits(1 << 30, 20, 1, 1, 1, 1, 1)
    try:
        shut_in(ParseJob(f"/dev/fd/{document}", "text/plain", "", "", 1, 0, limits))
        Path(f"/dev/fd/{document}").read_bytes()
        failures = selftest.failures(Path(canary), writes=False)
    except (OSError, RuntimeError, ValueError) as error:
        failures = [str(error)]
    os.write(1, json.dumps(failures).encode())
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
