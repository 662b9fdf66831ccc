"""Tries and calls of credential routes, counted in Redis when several gateway processes share it."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

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

_AGAIN_S = 1.0


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
        except RedisAway as away:
            how = "ours"  # a wrong one is counted here
            try:
                with self._local.one(address, account, device=device, processes=self._replicas.count):
                    yield
                how = "right"
            finally:
                if away.may_have_run:
                    self._end(keys, attempt, how, after_s=_AGAIN_S)
            return
        refuse_for(float(wait_s))
        try:
            yield
        except Exception as error:
            if is_our_failure(error):
                self._end(keys, attempt, "ours")
            raise
        self._end(keys, attempt, "right")

    def _end(self, keys: Sequence[str], attempt: str, how: str, *, after_s: float = 0.0) -> None:
        """After the answer, which does not wait for it."""
        self._replicas.tasks.spawn(self._end_until_done(keys, attempt, how, after_s), "end of a try")

    async def _end_until_done(self, keys: Sequence[str], attempt: str, how: str, after_s: float) -> None:
        """Again while Redis is away, as long as it would remember the try."""
        for _ in range(int(FORGOTTEN_AFTER_S / _AGAIN_S)):
            await asyncio.sleep(after_s)
            try:
                await self._replicas.redis.run(TRY_ENDS, keys, [attempt, how])
            except RedisAway:
                after_s = _AGAIN_S
            else:
                return


class SharedCalls:
    """Calls of one route, by site of the client, of all processes that share a Redis."""

    def __init__(self, route: str, windows: Sequence[TryWindow], replicas: Replicas) -> None:
        self._route = route
        self._windows = _described(windows)
        self._redis = replicas.redis

    async def take(self, site: str) -> float:
        """Counts one call; seconds to wait when it is one too many. Raises: RedisAway."""
        key = shared_key("calls", self._route, site)
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
