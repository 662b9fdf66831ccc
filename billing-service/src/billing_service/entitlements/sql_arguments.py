"""Batches as the database functions take them: one array a column. Pure."""

from typing import Any

from shared.contracts.billing import ReserveRequest

from billing_service.entitlements.models import ReserveCall, SettleCall

_NO_RESERVES: tuple[Any, ...] = (None, *([()] * 11), 0, 0, 0, None)


def input_floor(request: ReserveRequest) -> int:
    """Input charged if nobody ever settles."""
    if request.input_tokens_floor is None:
        # Four bytes a token is what text costs at the least; the bound itself counts every byte.
        return -(-request.input_tokens_max // 4)
    return min(request.input_tokens_floor, request.input_tokens_max)


def reserve_arguments(calls: list[ReserveCall]) -> tuple[Any, ...]:
    """What settle_and_reserve() takes for reserves; all are of one organisation and under one policy."""
    if not calls:
        return _NO_RESERVES
    requests = [call.request for call in calls]
    chains = [request.principal for request in requests]
    policy = calls[0].policy
    return (
        chains[0].organisation_id,
        [request.request_id for request in requests],
        [chain.team_id for chain in chains],
        [chain.user_id for chain in chains],
        [chain.key_id for chain in chains],
        [request.model for request in requests],
        [request.provider for request in requests],
        [request.kind for request in requests],
        [request.input_tokens_max for request in requests],
        [input_floor(request) for request in requests],
        [request.output_tokens_max for request in requests],
        [request.n for request in requests],
        policy.output_tokens_min,
        policy.ttl_s,
        policy.grant_nano,
        policy.default_budget_nano,
    )


def settle_arguments(calls: list[SettleCall]) -> tuple[Any, ...]:
    """What settle_and_reserve() takes for settlements."""
    return (
        [call.dispatch_id for call in calls],
        [count for call in calls for count in call.buckets],
        [call.source for call in calls],
        [call.outcome for call in calls],
        [call.occurred_at for call in calls],
        [call.latency_ms for call in calls],
    )
