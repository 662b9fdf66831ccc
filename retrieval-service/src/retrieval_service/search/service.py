"""Finds passages: access by SQL, candidates by the vector store, order by fusion and reranking."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from shared.auth.principal import Principal
from shared.background import beside
from shared.clock import monotonic_s
from shared.contracts.retrieval import (
    Candidate,
    Passage,
    SearchMode,
    SearchRequest,
    SearchResponse,
    SearchTrace,
)
from shared.db import Database
from shared.errors import AppError

from retrieval_service.chunks import service as chunks
from retrieval_service.chunks.service import StoredChunk
from retrieval_service.files import service as files
from retrieval_service.files.service import SCOPE_FILES_MAX
from retrieval_service.search import fusion
from retrieval_service.search.choosing import Choice, choose
from retrieval_service.search.errors import MeaningUnavailable, QueryEmpty
from retrieval_service.search.fusion import Hit
from retrieval_service.search.questions import Questions, in_words
from retrieval_service.vectors.port import Scope, Scored, Vector, VectorStore

CANDIDATES = 50
RERANKED = 30
_SCORE_DIGITS = 6


@dataclass(slots=True)
class _Run:
    """One search as it goes."""

    principal: Principal
    request: SearchRequest
    mode: SearchMode
    asked: asyncio.Task[Vector | AppError] | None = None
    notes: list[str] = field(default_factory=list[str])
    names: dict[UUID, str] = field(default_factory=dict[UUID, str])
    took_ms: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        started_s = monotonic_s()
        try:
            yield
        finally:
            self.took_ms[name] = round((monotonic_s() - started_s) * 1000, 2)


class Searcher:
    """One per process."""

    def __init__(
        self, database: Database, store: VectorStore, questions: Questions, *, default_mode: SearchMode
    ) -> None:
        self._database = database
        self._store = store
        self._questions = questions
        self._default_mode: SearchMode = default_mode

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResponse:
        """The best passages of what the caller named and may see.

        Raises:
            KnowledgeBaseNotFound, FileNotFound: a name the caller may not see.
            QueryEmpty, ScopeTooLarge, MeaningUnavailable, VectorStoreUnavailable.
        """
        if not request.query.strip():
            raise QueryEmpty
        run = _Run(principal, request, request.mode or self._default_mode)
        with run.phase("total"):
            if run.mode == "bm25":
                choices, searched = await self._find(run)
            else:
                # All that does not need the question's vector is done while it is on its way.
                async with beside(self._ask(run), "vector of a question") as run.asked:
                    choices, searched = await self._find(run)
        return _response(run, choices, files_searched=searched)

    async def _find(self, run: _Run) -> tuple[list[Choice], int]:
        """What was found, and in how many files; of more than SCOPE_FILES_MAX that number and one."""
        scope = await self._scope(run)
        file_ids = _file_ids(scope)
        return await self._choices(run, scope, file_ids), SCOPE_FILES_MAX + 1 if file_ids is None else len(
            file_ids
        )

    async def _scope(self, run: _Run) -> Scope:
        request = run.request
        with run.phase("access"):
            async with self._database.transaction() as session:
                return await files.readable_selection(
                    session, run.principal, request.knowledge_base_ids, request.file_ids
                )

    async def _ask(self, run: _Run) -> Vector | AppError:
        """The question's vector, or why there is none: who needs it decides what that means."""
        with run.phase("embed"):
            try:
                return await self._questions.vector(run.principal, run.request.query)
            except AppError as error:
                return error

    async def _choices(self, run: _Run, scope: Scope, file_ids: frozenset[UUID] | None) -> list[Choice]:
        if file_ids is not None and not file_ids:
            run.notes.append("there is no ready file to search in")
            return []
        everything = None if file_ids is None else await self._everything(run, file_ids)
        hits = await self._hits(run, scope)
        if everything is not None or run.request.rerank or run.request.trace:
            found = await self._loaded(run, hits, file_ids)
            if run.request.rerank:
                found = await self._reranked(run, found)
            return choose(found, run.request.k) if everything is None else _all_of(found, everything)
        return await self._best(run, hits, file_ids)

    async def _best(self, run: _Run, hits: Sequence[Hit], allowed: frozenset[UUID] | None) -> list[Choice]:
        """Loads no more texts than will do; all when too many of the first are the same or gone."""
        k = run.request.k
        first = choose(await self._loaded(run, hits[: 2 * k], allowed), k)
        if len(hits) <= 2 * k or sum(choice.used for choice in first) == k:
            return first
        return choose(await self._loaded(run, hits, allowed), k)

    async def _everything(self, run: _Run, file_ids: frozenset[UUID]) -> list[StoredChunk] | None:
        """All passages in reading order when they are no more than what was asked for: then none is
        left out.
        """
        k = run.request.k
        if len(file_ids) > k:
            return None
        with run.phase("passages"):
            async with self._database.transaction() as session:
                few = await chunks.first_of(session, list(file_ids), limit=k + 1)
                run.names |= await files.names_of(session, list(file_ids))
        return None if len(few) > k else [chunk for chunk in few if chunk.file_id in run.names]

    async def _hits(self, run: _Run, scope: Scope) -> list[Hit]:
        match run.mode:
            case "dense":
                return fusion.fuse(await self._by_meaning(run, scope), None)
            case "bm25":
                return fusion.fuse(None, await self._by_words(run, scope))
            case "hybrid":
                dense, bm25 = await asyncio.gather(
                    self._by_meaning_if_possible(run, scope), self._by_words(run, scope)
                )
                return fusion.fuse(dense, bm25)

    async def _by_meaning(self, run: _Run, scope: Scope) -> list[Scored]:
        if run.asked is None:
            raise MeaningUnavailable
        vector = await run.asked
        if isinstance(vector, AppError):
            raise vector
        with run.phase("dense"):
            return await self._store.search_dense(scope, vector, CANDIDATES)

    async def _by_meaning_if_possible(self, run: _Run, scope: Scope) -> list[Scored] | None:
        """None when the embedding model cannot be asked: words alone are better than no answer."""
        if run.asked is not None and isinstance(error := await run.asked, AppError):
            run.mode = "bm25"
            run.notes.append(f"searched by words alone: the embedding model was not used, {in_words(error)}")
            return None
        return await self._by_meaning(run, scope)

    async def _by_words(self, run: _Run, scope: Scope) -> list[Scored]:
        with run.phase("bm25"):
            return await self._store.search_bm25(scope, run.request.query, CANDIDATES)

    async def _loaded(
        self, run: _Run, hits: Sequence[Hit], allowed: frozenset[UUID] | None
    ) -> list[tuple[Hit, StoredChunk]]:
        """With their texts; what is gone, of a file that was deleted meanwhile, or of one that was not
        allowed is dropped.
        """
        with run.phase("passages"):
            async with self._database.transaction() as session:
                stored = await chunks.passages(session, [hit.id for hit in hits])
                found_in = list({chunk.file_id for chunk in stored.values()})
                if allowed is None:
                    run.names |= await files.ready_names(session, run.principal, found_in)
                else:
                    run.names |= await files.names_of(session, found_in)
        shown = run.names.keys() if allowed is None else allowed & run.names.keys()
        return [
            (hit, chunk)
            for hit in hits
            if (chunk := stored.get(hit.id)) is not None and chunk.file_id in shown
        ]

    async def _reranked(
        self, run: _Run, found: list[tuple[Hit, StoredChunk]]
    ) -> list[tuple[Hit, StoredChunk]]:
        """The first of them in a new order; all as they were when the model cannot be asked."""
        first = found[: max(RERANKED, run.request.k)]
        if not first:
            return found
        with run.phase("rerank"):
            try:
                scores = await self._questions.scores(
                    run.principal, run.request.query, [chunk.search_text for _, chunk in first]
                )
            except AppError as error:
                run.notes.append(f"not reranked: the embedding model was not used, {in_words(error)}")
                return found
        for (hit, _), score in zip(first, scores, strict=True):
            hit.rerank_score = score
        return [*sorted(first, key=lambda pair: -pair[0].score), *found[len(first) :]]


def _all_of(found: Sequence[tuple[Hit, StoredChunk]], everything: Sequence[StoredChunk]) -> list[Choice]:
    """Every passage: those the search found first, the others behind them in reading order."""
    known = {chunk.id for _, chunk in found}
    rest = [(Hit(chunk.id), chunk) for chunk in everything if chunk.id not in known]
    return [Choice(hit, chunk, True, f"all {len(everything)} passages fit") for hit, chunk in (*found, *rest)]


def _file_ids(scope: Scope) -> frozenset[UUID] | None:
    """None: all of some collections."""
    if any(selection.file_ids is None for selection in scope.selections):
        return None
    return frozenset(file_id for selection in scope.selections for file_id in selection.file_ids or ())


def _response(run: _Run, choices: Sequence[Choice], *, files_searched: int) -> SearchResponse:
    names = run.names
    data = [_passage(choice, names) for choice in choices if choice.used]
    if not run.request.trace:
        return SearchResponse(data=data)
    candidates = [_candidate(choice, names) for choice in choices]
    trace = SearchTrace(
        mode=run.mode,
        notes=run.notes,
        files_searched=files_searched,
        took_ms=run.took_ms,
        candidates=candidates,
    )
    return SearchResponse(data=data, trace=trace)


def _passage(choice: Choice, names: dict[UUID, str]) -> Passage:
    chunk = choice.chunk
    return Passage(
        chunk_id=chunk.id,
        text=chunk.text,
        score=round(choice.hit.score, _SCORE_DIGITS),
        file_id=chunk.file_id,
        filename=names[chunk.file_id],
        page=chunk.page,
        heading=chunk.heading,
        start=chunk.start,
        end=chunk.end,
    )


def _candidate(choice: Choice, names: dict[UUID, str]) -> Candidate:
    hit, chunk = choice.hit, choice.chunk
    return Candidate(
        chunk_id=chunk.id,
        file_id=chunk.file_id,
        filename=names[chunk.file_id],
        page=chunk.page,
        dense_rank=hit.dense_rank,
        dense_score=hit.dense_score,
        bm25_rank=hit.bm25_rank,
        bm25_score=hit.bm25_score,
        fused_score=hit.fused_score,
        rerank_score=hit.rerank_score,
        used=choice.used,
        reason=choice.reason,
    )
