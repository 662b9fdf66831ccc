"""Refusals of searches."""

from shared.errors import Invalid, Unavailable


class QueryEmpty(Invalid):
    """Nothing but white space."""

    code = "query_empty"

    def __init__(self) -> None:
        super().__init__("the query holds no text; ask for something")


class MeaningUnavailable(Unavailable):
    """A search by meaning alone needs the vector of its question."""

    code = "embedding_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "the embedding model does not answer, so nothing can be found by meaning; try again, or search "
            "with mode bm25"
        )
