"""The tool `search_documents`."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.citations import citation_of
from shared.clients.retrieval import RetrievalClient
from shared.contracts.retrieval import Passage, SearchRequest
from shared.contracts.runs import Citation
from shared.errors import AppError

from agent_service.tools.port import ToolContext, ToolResult

PASSAGES_MAX = 5
_QUERY_CHARS_MAX = 1_000
_PASSAGE_CHARS_MIN = 200


class SearchDocuments:
    """Looks something up in the documents of a run."""

    name = "search_documents"
    title = "Search documents"
    description = (
        "Search the user's documents and get numbered passages. Answer from them and cite each by its "
        "number, as in [1]."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": _QUERY_CHARS_MAX,
                "description": "what to look for, in plain words",
            }
        },
        "required": ["query"],
        "additionalProperties": False,
    }
    source = "built-in"
    timeout_s = 60.0
    repeatable = True
    needs_approval = False

    def __init__(self, retrieval: RetrievalClient, *, result_chars_max: int, rerank: bool) -> None:
        self._retrieval = retrieval
        self._result_chars_max = result_chars_max
        self._rerank = rerank

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Passages best first, each a citation of the run."""
        request = SearchRequest(
            query=str(arguments["query"]),
            knowledge_base_ids=list(context.knowledge_base_ids),
            file_ids=list(context.file_ids),
            k=PASSAGES_MAX,
            mode="hybrid",
            rerank=self._rerank,
        )
        try:
            found = (await self._retrieval.search(context.principal, request)).data
        except AppError as error:
            return ToolResult(f"The documents could not be searched: {error.detail}", failed=True)
        if not found:
            return ToolResult("No passage in the documents fits. Say so, or search with other words.")
        shown = shorten(found, self._result_chars_max)
        citations = tuple(citation_of(passage, n) for n, passage in enumerate(shown, context.citations_from))
        return ToolResult("\n\n".join(map(write, citations)), citations=citations)


def shorten(passages: Sequence[Passage], chars_max: int) -> list[Passage]:
    """As many of `passages`, best first, as fit `chars_max`; the last one may be cut."""
    kept: list[Passage] = []
    left = chars_max
    for passage in passages:
        if left < _PASSAGE_CHARS_MIN and kept:
            break
        text = passage.text if len(passage.text) <= left else f"{passage.text[:left].rsplit(' ', 1)[0]} ..."
        kept.append(passage.model_copy(update={"text": text}))
        left -= len(text)
    return kept


def write(citation: Citation) -> str:
    """The passage as the model reads it: `[n] filename, page p: text`."""
    page = f", page {citation.page}" if citation.page is not None else ""
    return f"[{citation.n}] {citation.filename}{page}: {citation.text}"
