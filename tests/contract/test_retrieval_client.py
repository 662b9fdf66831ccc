"""The typed retrieval client against the real service, in the words of shared.contracts.retrieval."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from identities import make_principal
from shared.auth.principal import Principal
from shared.clients.retrieval import RetrievalClient
from shared.contracts.retrieval import SearchRequest
from shared.errors import NotFound, Unavailable
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from suite.documents import HANDBOOK, handbook, knowledge_base
from suite.pdf import pdf
from suite.people import Person
from suite.ports import free_port
from suite.stack import Stack

pytestmark = pytest.mark.e2e

QUICK = Timeouts(connect_s=2, first_byte_s=10, idle_s=10, write_s=5)


@pytest.fixture
async def retrieval(stack: Stack) -> AsyncIterator[RetrievalClient]:
    """As the chat-service builds it."""
    pool = UpstreamPool()
    tokens, base_url = stack.service_tokens("chat-service"), stack.url("retrieval-service")
    yield RetrievalClient(pool, tokens, base_url=base_url, timeouts=QUICK)
    await pool.aclose()


def acting_for(person: Person) -> Principal:
    return make_principal(user_id=UUID(person.id))


async def test_a_file_is_known_read_and_found(retrieval: RetrievalClient, person: Person) -> None:
    owner, file_id = acting_for(person), UUID(handbook(person)["document_id"])
    document = await retrieval.document(owner, file_id)
    assert (document.document_id, document.stage, document.page_count) == (file_id, "ready", len(HANDBOOK))
    assert await retrieval.content(owner, file_id) == pdf(HANDBOOK)
    found = await retrieval.search(
        owner, SearchRequest(query="Who is the lighthouse keeper?", file_ids=[file_id], k=1)
    )
    (passage,) = found.data
    assert (passage.file_id, passage.page) == (file_id, 2)
    assert "Ottilie Brandvik" in passage.text


async def test_a_knowledge_base_is_shown_to_its_owner(retrieval: RetrievalClient, person: Person) -> None:
    base_id = UUID(knowledge_base(person, "Lighthouses"))
    shown = await retrieval.knowledge_base(acting_for(person), base_id)
    assert (shown.id, shown.name, shown.file_count, shown.writable) == (base_id, "Lighthouses", 0, True)


async def test_what_is_another_persons_is_not_found(
    retrieval: RetrievalClient, person: Person, stranger: Person
) -> None:
    file_id, base_id, other = (
        UUID(handbook(person)["document_id"]),
        UUID(knowledge_base(person)),
        acting_for(stranger),
    )
    for asked in (
        retrieval.document(other, file_id),
        retrieval.content(other, file_id),
        retrieval.search(other, SearchRequest(query="keeper", file_ids=[file_id])),
    ):
        with pytest.raises(NotFound) as refused:
            await asked
        assert refused.value.code == "file_not_found"
    for asked_base in (
        retrieval.knowledge_base(other, base_id),
        retrieval.search(other, SearchRequest(query="keeper", knowledge_base_ids=[base_id])),
    ):
        with pytest.raises(NotFound) as refused:
            await asked_base
        assert refused.value.code == "knowledge_base_not_found"


async def test_silence_is_an_unavailable_retrieval(stack: Stack, person: Person) -> None:
    pool = UpstreamPool()
    base_url = f"http://127.0.0.1:{free_port()}"
    nowhere = RetrievalClient(pool, stack.service_tokens("chat-service"), base_url=base_url, timeouts=QUICK)
    with pytest.raises(Unavailable) as silent:
        await nowhere.document(acting_for(person), uuid7())
    assert silent.value.code == "retrieval_unavailable"
    await pool.aclose()
