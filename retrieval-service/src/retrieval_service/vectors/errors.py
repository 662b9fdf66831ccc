"""Refusals of vector stores; what a library said stays in the log."""

from shared.errors import Unavailable


class VectorStoreUnavailable(Unavailable):
    """The store does not answer, or answers what makes no sense."""

    code = "vector_store_unavailable"

    def __init__(
        self,
        detail: str = "the vector store does not answer; try again, and if it stays so ask an administrator",
    ) -> None:
        super().__init__(detail)


class VectorStoreTakenError(Exception):
    """Another process owns the folder of an embedded store; the message says what to do."""
