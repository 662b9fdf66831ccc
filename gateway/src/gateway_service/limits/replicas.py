"""The gateway processes that count together in one Redis, and how many they are: while it is away each admits
its share.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from shared.adapters.redis import RedisAway, RedisClient
from shared.background import Periodic, TaskTracker
from shared.ids import uuid7

from gateway_service.limits.scripts import HEARTBEAT, LEAVE
from gateway_service.settings import GatewaySettings

_BEAT_S = 1.0
_GONE_AFTER_S = 10
_GONE_AFTER_BEATS = int(_GONE_AFTER_S / _BEAT_S)
_DRAIN_S = 2.0
_KEY = "atrium:gateways"


def shared_key(kind: str, *parts: str) -> str:
    """The name of a count in Redis. Addresses and accounts are hashed: who lists keys reads no names."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"atrium:{kind}:{digest[:32]}"


class Replicas:
    """This process among them. `count` is the last that was known, this one included; it falls only after
    ten beats in a row, in which all who are there have said so. `tasks` are what is written to Redis after
    the answer.
    """

    def __init__(self, redis: RedisClient, *, expected: int = 1) -> None:
        self.redis = redis
        self.count = expected
        self.tasks = TaskTracker()
        self._id = str(uuid7())
        self._beats = 0

    @classmethod
    def of(cls, settings: GatewaySettings) -> "Replicas | None":
        """None without REDIS_URL: this process counts for itself."""
        if settings.redis_url is None:
            return None
        redis = RedisClient(
            settings.redis_url.get_secret_value(),
            timeout_s=settings.redis_timeout_s,
            meanwhile="each gateway process counts by itself and admits its share of each limit",
        )
        return cls(redis, expected=settings.gateway_processes)

    async def beat(self) -> None:
        """Say that this process is there, count the others, and find out whether Redis is back."""
        try:
            found = int(await self.redis.ask_again(HEARTBEAT, [_KEY], [self._id, _GONE_AFTER_S]))
        except RedisAway:
            self._beats = 0
            return
        self._beats += 1
        if found > self.count or self._beats > _GONE_AFTER_BEATS:
            self.count = max(1, found)

    async def leave(self) -> None:
        """This process counts no more; what it uses is closed."""
        await self.tasks.drain(_DRAIN_S)
        with suppress(RedisAway):
            await self.redis.run(LEAVE, [_KEY], [self._id])
        await self.redis.aclose()

    @asynccontextmanager
    async def present(self) -> AsyncGenerator[None]:
        """This process is one of them while the block runs."""
        await self.beat()
        beats = Periodic("gateway processes", _BEAT_S, self.beat, first_after_s=_BEAT_S)
        beats.start()
        try:
            yield
        finally:
            await beats.close()
            await self.leave()
