"""Which service calls which, and the most its tokens may permit there. The table of docs/architecture.md, in
code.

A token for another arrow is refused. What a token says of the person it acts for counts only as far as the
arrow needs it, so that the key of one service is no key to everything.
"""

from collections.abc import Mapping

from shared.auth.permissions import Permission

P = Permission

_INFERENCE = frozenset({P.MODELS_USE, P.MODELS_READ})
ARROWS: Mapping[tuple[str, str], frozenset[Permission]] = {
    ("gateway", "chat-service"): frozenset(),
    ("gateway", "inference-service"): frozenset(),
    ("gateway", "agent-service"): frozenset(),
    ("gateway", "retrieval-service"): frozenset(),
    ("gateway", "billing-service"): frozenset(),
    ("chat-service", "inference-service"): _INFERENCE,
    ("chat-service", "agent-service"): frozenset({P.AGENTS_READ, P.AGENTS_RUN, P.CODE_EXECUTE, P.FILES_READ}),
    ("chat-service", "retrieval-service"): frozenset({P.FILES_READ}),
    ("chat-service", "billing-service"): frozenset({P.USAGE_READ}),
    ("agent-service", "inference-service"): _INFERENCE,
    ("agent-service", "retrieval-service"): frozenset({P.FILES_READ}),
    ("agent-service", "billing-service"): frozenset({P.USAGE_READ}),
    ("retrieval-service", "inference-service"): _INFERENCE,
    ("inference-service", "billing-service"): frozenset({P.PRICES_READ, P.USAGE_READ}),
}


def callers_of(service: str) -> dict[str, frozenset[Permission]]:
    """The services that may call `service`, with the most each may be permitted for a person it acts for."""
    return {caller: permissions for (caller, target), permissions in ARROWS.items() if target == service}
