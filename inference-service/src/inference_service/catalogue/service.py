"""Public model names, and which deployment answers to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.auth.principal import Principal

from inference_service.catalogue.errors import ModelNotAllowed, ModelNotFound, WrongKindOfModel
from inference_service.catalogue.windows import Windows
from inference_service.providers.discovery import Discovery, ProviderState
from inference_service.providers.errors import ModelLoading, ProviderUnavailable
from inference_service.providers.protocol import Kind, Provider, Readiness, UpstreamModel

_LOADING_RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model under its public id, and who serves it."""

    id: str
    model: UpstreamModel
    state: ProviderState

    @property
    def provider(self) -> Provider:
        return self.state.provider

    @property
    def created(self) -> int:
        """Unix seconds: when its provider says it was made, else when this process first saw it."""
        return self.model.created or self.state.first_seen.get(self.model.id, 0)

    def readiness(self) -> Readiness:
        return self.state.readiness()


class Catalogue:
    """Rebuilt when discovery finds a difference, so that a look-up is one dictionary access."""

    def __init__(self, discovery: Discovery, windows: Windows) -> None:
        self._discovery = discovery
        self._windows = windows
        self._version = -1
        self._deployments: dict[str, Deployment] = {}
        self._prefixed: dict[str, Deployment] = {}

    def visible_to(self, principal: Principal) -> list[Deployment]:
        """The models `principal` may use, in the order of the providers."""
        return [
            deployment
            for deployment in self._current().values()
            if not principal.models or deployment.id in principal.models
        ]

    def everything(self) -> list[Deployment]:
        """All models, in the order of the providers."""
        return list(self._current().values())

    async def find(self, model_id: str) -> Deployment:
        """The deployment of a public id; an unknown one makes us look again at the providers. Raises:
        ModelNotFound.
        """
        found = self._lookup(model_id)
        if found is None:
            await self._discovery.refresh()
            found = self._lookup(model_id)
        if found is None:
            text = f"the model {model_id!r} does not exist; GET /v1/models lists those that do"
            raise ModelNotFound(text, extra={"param": "model"})
        return found

    async def resolve(self, model_id: str, *, kind: Kind, principal: Principal) -> Deployment:
        """The deployment that answers `model_id` now.

        Raises: ModelNotAllowed, ModelNotFound, WrongKindOfModel, ModelLoading, ProviderUnavailable.
        """
        if principal.models and model_id not in principal.models:
            raise ModelNotAllowed(
                f"this key or team may not use the model {model_id!r}; ask an administrator",
                extra={"param": "model"},
            )
        deployment = self._lookup(model_id) or await self.find(model_id)
        if deployment.model.kind != kind:
            text = (
                f"{model_id!r} is a model for {deployment.model.kind}, not for {kind}; choose another in "
                "GET /api/v1/inference/models"
            )
            raise WrongKindOfModel(text, extra={"param": "model"})
        require_ready(deployment)
        return deployment

    def _lookup(self, model_id: str) -> Deployment | None:
        return self._current().get(model_id) or self._prefixed.get(model_id)

    def _current(self) -> Mapping[str, Deployment]:
        if self._version != self._discovery.version:
            self._version = self._discovery.version
            self._rebuild()
        return self._deployments

    def _rebuild(self) -> None:
        self._deployments = {}
        self._prefixed = {}
        for state in self._discovery.states:
            for model in state.models:
                prefixed = f"{state.provider.id}/{model.id}"
                name = prefixed if model.id in self._deployments else model.id
                deployment = Deployment(name, self._windows.complete(model, name), state)
                self._deployments[name] = deployment
                self._prefixed[prefixed] = deployment


def require_ready(deployment: Deployment) -> None:
    """Raises: ModelLoading with progress for a built-in model on its way, ProviderUnavailable for one that
    failed.
    """
    own = deployment.provider.readiness()
    if own is None or own.status == "ready":
        # Other providers are simply tried: a stale "down" must not refuse what would work.
        return
    extra: dict[str, Any] = {"progress": own.progress}
    if own.status == "loading":
        text = (
            own.detail
            or f"the built-in model {deployment.id!r} is being prepared; it answers as soon as it is ready"
        )
        raise ModelLoading(text, retry_after_s=_LOADING_RETRY_AFTER_S, extra=extra)
    raise ProviderUnavailable(
        f"the built-in model {deployment.id!r} could not start: {own.detail or 'see its log'}",
        retry_after_s=30,
    )
