"""A stored object becomes a file: within the quota, in its knowledge base, waiting for its ingestion."""

from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import repository
from retrieval_service.files.intake import TakenFile
from retrieval_service.files.models import FileRow
from retrieval_service.files.quota import FileQuota
from retrieval_service.knowledge import service as knowledge
from retrieval_service.objects.port import FILES_PREFIX

FIRST_ATTEMPT = 1


def key_of(principal: Principal, file_id: UUID) -> str:
    """Where the bytes of a file lie; its name is no part of it."""
    return f"{FILES_PREFIX}/{principal.organisation_id}/{principal.actor_id}/{file_id}"


async def admit(
    session: AsyncSession,
    principal: Principal,
    taken: TakenFile,
    *,
    file_id: UUID,
    filename: str,
    knowledge_base_id: UUID | None,
    quota: FileQuota,
) -> FileRow:
    """The row of a new file, at stage queued.

    Raises:
        QuotaExceeded; KnowledgeBaseNotFound, KnowledgeBaseFull: it is not the caller's own, or full.
    """
    await quota.require_room(session, principal.actor_id, taken.size_bytes)
    if knowledge_base_id is not None:
        await knowledge.own(session, principal, knowledge_base_id)
    now = utc_now()
    row = FileRow(
        id=file_id,
        organisation_id=principal.organisation_id,
        team_id=principal.team_id,
        user_id=principal.actor_id,
        principal=principal.to_claims(),
        filename=filename,
        content_type=taken.content_type,
        size_bytes=taken.size_bytes,
        sha256=taken.sha256,
        s3_key=taken.key,
        collection=knowledge.collection_of(knowledge_base_id)
        if knowledge_base_id
        else f"u-{principal.actor_id}",
        stage="queued",
        attempt=FIRST_ATTEMPT,
        enqueued_attempt=0,
        cancel_requested=False,
        created_at=now,
        updated_at=now,
    )
    await repository.add(session, row)
    if knowledge_base_id is not None:
        await knowledge.link(session, principal, knowledge_base_id, file_id)
    return row
