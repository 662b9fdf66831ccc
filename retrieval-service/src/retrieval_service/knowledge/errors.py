"""What can be refused about knowledge bases."""

from shared.errors import Invalid, NotFound


class KnowledgeBaseNotFound(NotFound):
    """It is not there or not the caller's to see (or, for a change, not the caller's own)."""

    code = "knowledge_base_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such knowledge base; GET /api/v1/retrieval/knowledge-bases lists yours")


class TooManyKnowledgeBases(Invalid):
    """The person has as many as one may have."""

    code = "too_many_knowledge_bases"

    def __init__(self, bases_max: int) -> None:
        super().__init__(
            f"you have {bases_max} knowledge bases, the most one person may have; delete one first"
        )


class KnowledgeBaseFull(Invalid):
    """It holds as many files as it may."""

    code = "knowledge_base_full"

    def __init__(self, files_max: int) -> None:
        super().__init__(f"the knowledge base holds {files_max} files, the most it may; use another one")
