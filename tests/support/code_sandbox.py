"""A sandbox of its own for a test."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_service.code.limits import CodeLimits
from agent_service.code.service import CodeRunner, SelfTest
from identities import make_principal
from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.contracts.agents import CodeRequest, CodeResult
from shared.jail import landlock

NO_LANDLOCK = (
    ""
    if sys.platform == "linux" and landlock.abi() >= 1
    else "this kernel has no Landlock, so there is no sandbox to test"
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A runner and somebody who may use it."""

    runner: CodeRunner
    tasks: TaskTracker
    principal: Principal

    async def run(self, code: str, *, principal: Principal | None = None, **fields: Any) -> CodeResult:
        """One run, as the person given."""
        return await self.runner.execute(principal or self.principal, CodeRequest(code=code, **fields))


@asynccontextmanager
async def sandbox(
    cache_dir: Path, *, self_test: SelfTest | None = None, **limits: Any
) -> AsyncGenerator[Sandbox]:
    """A sandbox for the length of the block. `cache_dir` may be kept between uses: building its font list
    takes seconds.
    """
    tasks = TaskTracker()
    runner = CodeRunner(CodeLimits(cache_dir=cache_dir, **limits), tasks=tasks, self_test=self_test)
    runner.open()
    try:
        yield Sandbox(runner, tasks, make_principal())
    finally:
        await tasks.drain(10)
        await runner.close()
