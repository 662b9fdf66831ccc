"""Tries and calls of credential routes, counted in Redis when several gateway processes share it."""

import json
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from shared.adapters.redis import RedisAway
from shared.ids import uuid7

from gateway_service.limits.replicas import Replicas, shared_key
from gateway_service.limits.scripts import TRY, TRY_ENDS
from gateway_service.limits.tries import (
    FORGOTTEN_AFTER_S,
    FREE_TRIES,
    WAIT_MAX_S,
    Tries,
    TryWindow,
    device_name,
    is_our_failure,
    refuse_for,
    site_name,
)


class SharedTries:
    """`Tries` of all processes that share a Redis; of each for itself, with its share, while that is away."""

    def __init__(
        self, *, per_client: Sequence[TryWindow], per_account: Sequence[TryWindow], replicas: Replicas
    ) -> None:
        self._local = Tries(per_client=per_client, per_account=per_account)
        self._replicas = replicas
        self._of_device = _described(per_account, kept_s=FORGOTTEN_AFTER_S)
        self._of_stranger = _described(per_account, per_client, kept_s=FORGOTTEN_AFTER_S)

    @asynccontextmanager
    async def one(self, address: str, account: str, *, device: str | None = None) -> AsyncGenerator[None]:
        """See Tries.one."""
        attempt, keys = str(uuid7()), _keys(address, account, device)
        sets = self._of_stranger if device is None else self._of_device
        try:
            wait_s = await self._replicas.redis.run(TRY, keys, [attempt, sets, FREE_TRIES, int(WAIT_MAX_S)])
        except RedisAway:
            with self._local.one(address, account, device=device, processes=self._replicas.count):
                yield
            return
        refuse_for(float(wait_s))
        try:
            yield
        except Exception as error:
            if is_our_failure(error):
                await self._end(keys, attempt, "ours")
            raise
        await self._end(keys, attempt, "right")

    async def _end(self, keys: Sequence[str], attempt: str, how: str) -> None:
        with suppress(RedisAway):  # then it counts as wrong until it is forgotten
            await self._replicas.redis.run(TRY_ENDS, keys, [attempt, how])


class SharedCalls:
    """Calls of one route, by client address, of all processes that share a Redis."""

    def __init__(self, route: str, windows: Sequence[TryWindow], replicas: Replicas) -> None:
        self._route = route
        self._windows = _described(windows)
        self._redis = replicas.redis

    async def take(self, address: str) -> float:
        """Counts one call; seconds to wait when it is one too many. Raises: RedisAway."""
        key = shared_key("calls", self._route, address)
        return float(await self._redis.run(TRY, [key], [str(uuid7()), self._windows]))


def _keys(address: str, account: str, device: str | None) -> list[str]:
    """As TRY takes them."""
    site = site_name(address)
    who = site if device is None else device_name(device)
    of_client = [shared_key("tries", site, "")] if device is None else []
    return [shared_key("tries", who, account), *of_client, shared_key("wrong", who, account)]


def _described(*sets: Sequence[TryWindow], kept_s: float = 0.0) -> str:
    """The sets as TRY takes them."""
    return json.dumps(
        [
            {
                "keep": math.ceil(max(kept_s, *(window.seconds for window in windows))),
                "windows": [(window.amount, window.seconds) for window in windows],
            }
            for windows in sets
        ]
    )
