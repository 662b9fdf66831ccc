"""The quotas of several gateway processes, counted in Redis."""

from collections.abc import Sequence
from dataclasses import replace

from shared.adapters.redis import RedisAway

from gateway_service.connections.limits import site_of
from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits.bucket import FORGIVEN_PER_MINUTE, BucketLimiter, decision_of
from gateway_service.limits.ports import Decision, RouteClass, share
from gateway_service.limits.replicas import Replicas, shared_key
from gateway_service.limits.scripts import BUCKETS


class SharedBucketLimiter:
    """The Limiter of a gateway with REDIS_URL. While Redis is away each process counts for itself and admits
    its share: the limit divided by the number of processes.
    """

    def __init__(self, replicas: Replicas, local: BucketLimiter) -> None:
        self._replicas = replicas
        self._local = local

    async def check(self, identity: Identity, route_class: RouteClass) -> Decision:
        """See ports.Limiter."""
        if not identity.quotas:
            return self._local.check(identity, route_class)
        try:
            return await self._count("take", _keyed(identity.quotas, route_class), identity.quotas)
        except RedisAway:
            return self._local.check(self._share_of(identity), route_class)

    def refund(self, identity: Identity, route_class: RouteClass) -> None:
        """See ports.Limiter."""
        if identity.quotas:
            self._replicas.tasks.spawn(self.give_back(identity, route_class), "refund")

    def forgive(self, identity: Identity, route_class: RouteClass) -> None:
        """See ports.Limiter."""
        if identity.quotas:
            self._replicas.tasks.spawn(self.give_back(identity, route_class, forgiving=True), "forgive")

    async def give_back(
        self, identity: Identity, route_class: RouteClass, *, forgiving: bool = False
    ) -> None:
        """What refund(), or forgive(), does."""
        keys, quotas = _keyed(identity.quotas, route_class), identity.quotas
        try:
            if forgiving:
                often = Quota(quotas[0].key, FORGIVEN_PER_MINUTE)
                await self._count("forgive", [f"atrium:forgiven:{often.key}", *keys], [often, *quotas])
            else:
                await self._count("give", keys, quotas)
        except RedisAway:
            give = self._local.forgive if forgiving else self._local.refund
            give(self._share_of(identity), route_class)

    async def count_failure(self, address: str) -> Decision:
        """See ports.Limiter."""
        key = shared_key("failures", site_of(address))
        try:
            return await self._count("fail", [key], [self._local.failures])
        except RedisAway:
            return self._local.count_failure(address, processes=self._replicas.count)

    async def _count(self, what: str, keys: Sequence[str], quotas: Sequence[Quota]) -> Decision:
        """Raises: RedisAway."""
        arguments = [what, *(quota.per_minute for quota in quotas)]
        answer: tuple[int, int, bytes] = await self._replicas.redis.run(BUCKETS, keys, arguments)
        allowed, tightest, tokens = answer
        return decision_of(quotas[tightest - 1], float(tokens), allowed=bool(allowed))

    def _share_of(self, identity: Identity) -> Identity:
        processes = self._replicas.count
        quotas = (replace(quota, per_minute=share(quota.per_minute, processes)) for quota in identity.quotas)
        return replace(identity, quotas=tuple(quotas))


def _keyed(quotas: Sequence[Quota], route_class: RouteClass) -> list[str]:
    return [f"atrium:{route_class}:{quota.key}" for quota in quotas]
