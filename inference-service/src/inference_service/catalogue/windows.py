"""How much a model reads and writes: told by its provider, set by an operator, known by its name,
or assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inference_service.known_windows import Window, canonical, known_windows
from inference_service.providers.protocol import UpstreamModel


@dataclass(frozen=True, slots=True)
class Windows:
    """Completes what providers leave open. `settings` are by public id, else by the provider's own name, in
    lower case.
    """

    settings: Mapping[str, Window]
    default_tokens: int

    def complete(self, model: UpstreamModel, public_id: str) -> UpstreamModel:
        """`model` with its window and where that comes from; only an embedding model's may stay unknown."""
        chosen = self.settings.get(public_id.lower()) or self.settings.get(model.id.lower())
        if chosen is not None:
            output = chosen.output_tokens or model.output_tokens_max
            return replace(
                model,
                context_length=chosen.context_tokens,
                context_source="setting",
                output_tokens_max=output,
            )
        known = None if model.builtin else known_windows().get(canonical(model.id))
        output = model.output_tokens_max or (known.output_tokens if known else None)
        if model.context_length is not None:
            return replace(model, output_tokens_max=output)
        if known is not None:
            return replace(
                model, context_length=known.context_tokens, context_source="table", output_tokens_max=output
            )
        if model.kind == "embedding":
            return replace(model, context_source="default")
        return replace(model, context_length=self.default_tokens, context_source="default")
