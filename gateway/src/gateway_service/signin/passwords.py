"""argon2id in threads: hashing takes tens of milliseconds and megabytes, so it never runs on the event loop
and never in crowds.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from shared.errors import Unavailable
from shared.ids import random_secret

from gateway_service.settings import GatewaySettings
from gateway_service.signin.password_rules import normalised

_WAITING_MAX = 100

R = TypeVar("R")


class Passwords:
    """Hashes and checks passwords; at most `parallel_max` at a time, and at most 100 callers wait."""

    def __init__(self, *, time_cost: int, memory_kib: int, parallel_max: int) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(max_workers=parallel_max, thread_name_prefix="argon2")
        self._waiting = 0
        # In a thread: the start of the gateway does not wait for it, and the first sign-in that needs it
        # does.
        self._nobody = self._threads.submit(self._hasher.hash, random_secret())

    @classmethod
    def of(cls, settings: GatewaySettings) -> "Passwords":
        """With the configured costs."""
        return cls(
            time_cost=settings.password_hash_time_cost,
            memory_kib=settings.password_hash_memory_kib,
            parallel_max=settings.password_hash_parallel_max,
        )

    async def hash(self, password: str) -> str:
        """The encoded argon2id hash."""
        return await self._run(self._hasher.hash, normalised(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether `password` belongs to `stored`. Without a stored hash it takes the same time and
        is False.
        """
        matched = await self._run(self._verify, stored, password)
        return matched and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Waits for running hashes and ends the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        encoded = stored or self._nobody.result()
        # Hashes made before passwords were composed hold whatever the keyboard wrote.
        return any(
            self._fits(encoded, spelling) for spelling in dict.fromkeys((normalised(password), password))
        )

    def _fits(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., R], *args: str | None) -> R:
        if self._waiting >= _WAITING_MAX:
            raise Unavailable("too many sign-ins at the same time; try again in a moment", retry_after_s=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1
