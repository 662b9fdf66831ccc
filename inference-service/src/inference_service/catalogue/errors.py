"""Why a model cannot be used."""

from shared.errors import BadRequest, Forbidden, NotFound


class ModelNotFound(NotFound):
    """No provider serves a model of this name."""

    code = "model_not_found"


class ModelNotAllowed(Forbidden):
    """The key or team has a list of models, and this is not on it."""

    code = "model_not_allowed"


class WrongKindOfModel(BadRequest):
    """An embedding model asked to chat, or the other way round."""

    code = "wrong_model_kind"
