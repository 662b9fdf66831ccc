"""Rules of the message tree. The caller has made sure that the chat is the person's
(chats.service.own_chat).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from shared.clock import utc_now
from shared.contracts.chat import (
    Attachment,
    FinalStatus,
    LeftOutEventData,
    Message,
    MessageError,
    MessageUsage,
)
from shared.contracts.runs import Citation, StepEventData, ToolEventData
from shared.ids import uuid7
from shared.pagination import Page
from shared.replies.fitting import PromptLine
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import repository
from chat_service.messages.errors import (
    MessageNotFound,
    NotReply,
    ParentNotFound,
    ParentNotReply,
    ReplyRunning,
    TooManySiblings,
)
from chat_service.messages.models import MessageRow
from chat_service.messages.repository import Taken

REASONING_CHARS_MAX = 60_000
"""What is kept of a reply's reasoning, over all its turns: lists of messages carry it."""


@dataclass(frozen=True, slots=True)
class Above:
    """What a new message is told by the branch it joins: its files, newest first, and how many messages it
    has.
    """

    file_ids: Sequence[UUID] = ()
    depth: int = 0


@dataclass(frozen=True, slots=True)
class BranchHistory:
    """The newest lines of a branch, root first; `count` is how many messages the whole branch has."""

    lines: list[PromptLine]
    count: int


@dataclass(frozen=True, slots=True)
class ReplyEnding:
    """How a turn ended and why: text, reasoning and usage are added to the reply, steps, citations and
    `left_out` replace what it has.
    """

    status: FinalStatus
    finish_reason: str | None = None
    text: str = ""
    reasoning: str = ""
    left_out: Mapping[str, Any] | None = None
    steps: Sequence[Mapping[str, Any]] = ()
    citations: Sequence[Mapping[str, Any]] = ()
    error: MessageError | None = None
    usage: MessageUsage | None = None


def view(row: MessageRow, sibling_ids: Sequence[UUID]) -> Message:
    """The message as the API shows it."""
    return Message(
        id=row.id,
        chat_id=row.chat_id,
        parent_id=row.parent_id,
        role=row.role,
        content=row.content,
        model=row.model,
        status=row.status,
        error=None if row.error is None else MessageError.model_validate(row.error),
        usage=usage_of(row),
        attachments=[Attachment.model_validate(attachment) for attachment in row.attachments],
        citations=[Citation.model_validate(citation) for citation in row.citations],
        steps=[_step(entry) for entry in row.steps],
        agent_id=row.agent_id,
        finish_reason=row.finish_reason,
        reasoning=row.reasoning,
        left_out=None if row.left_out is None else LeftOutEventData.model_validate(row.left_out),
        sibling_ids=list(sibling_ids) or [row.id],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _step(entry: Mapping[str, Any]) -> StepEventData | ToolEventData:
    return ToolEventData.model_validate(entry) if "call_id" in entry else StepEventData.model_validate(entry)


def usage_of(row: MessageRow | Taken) -> MessageUsage | None:
    """What a reply took so far; None while nothing is known."""
    if row.prompt_tokens is None and row.cost_nano is None:
        return None
    return MessageUsage(
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_nano=row.cost_nano,
        remaining_nano=row.remaining_nano,
    )


async def get(session: AsyncSession, chat_id: UUID, message_id: UUID, *, lock: bool = False) -> MessageRow:
    """Raises: MessageNotFound, also for a message of another chat."""
    row = await repository.get(session, chat_id=chat_id, message_id=message_id, lock=lock)
    if row is None:
        raise MessageNotFound
    return row


async def find(session: AsyncSession, chat_id: UUID, message_id: UUID) -> MessageRow | None:
    """The message if it is (still) there."""
    return await repository.get(session, chat_id=chat_id, message_id=message_id)


async def get_reply(
    session: AsyncSession, chat_id: UUID, message_id: UUID, *, lock: bool = False
) -> MessageRow:
    """Raises: MessageNotFound, NotReply."""
    row = await get(session, chat_id, message_id, lock=lock)
    if row.role != "assistant":
        raise NotReply
    return row


async def view_of(session: AsyncSession, row: MessageRow, *, siblings_max: int) -> Message:
    """One message with its siblings."""
    pairs = await repository.siblings(
        session, chat_id=row.chat_id, parent_ids=[row.parent_id], limit=siblings_max
    )
    return view(row, [child for _, child in pairs])


async def view_stored(
    session: AsyncSession, values: dict[str, Any], *, alone: bool, siblings_max: int
) -> Message:
    """The message just added from `values`; `alone`: it has no siblings, so they are not looked up."""
    row = MessageRow(**values)
    return view(row, ()) if alone else await view_of(session, row, siblings_max=siblings_max)


async def branch_page(
    session: AsyncSession,
    *,
    chat_id: UUID,
    leaf_id: UUID | None,
    before: UUID | None,
    limit: int,
    siblings_max: int,
) -> Page[Message]:
    """The last `limit` messages of the branch (root first) that ends in `leaf_id`, or right above
    `before`.
    """
    end_id = leaf_id if before is None else (await get(session, chat_id, before)).parent_id
    if end_id is None:
        return Page[Message](data=[])
    rows = await repository.path(session, chat_id=chat_id, leaf_id=end_id, depth_max=limit)
    children: dict[UUID | None, list[UUID]] = {}
    pairs = await repository.siblings(
        session,
        chat_id=chat_id,
        parent_ids=[row.parent_id for row in rows],
        limit=siblings_max * max(1, len(rows)),
    )
    for parent_id, child_id in pairs:
        children.setdefault(parent_id, []).append(child_id)
    data = [view(row, children.get(row.parent_id, ())) for row in rows]
    has_more = bool(rows) and rows[0].parent_id is not None
    return Page[Message](data=data, has_more=has_more, last_id=str(rows[0].id) if rows else None)


async def newest_leaf(session: AsyncSession, chat_id: UUID, message_id: UUID) -> UUID:
    """Where a switch to the branch of `message_id` lands. Raises: MessageNotFound."""
    await get(session, chat_id, message_id)
    return await repository.newest_leaf(session, chat_id=chat_id, message_id=message_id)


async def check_parent(session: AsyncSession, chat_id: UUID, parent_id: UUID | None) -> Above:
    """A message may follow an ended reply of this chat, or nothing. Returns what is above the message.

    Raises:
        ParentNotFound, ParentNotReply, ReplyRunning.
    """
    if parent_id is None:
        return Above()
    parent = await repository.get_parent(session, chat_id=chat_id, message_id=parent_id)
    if parent is None:
        raise ParentNotFound
    if parent.role != "assistant":
        raise ParentNotReply
    if parent.status == "streaming":
        raise ReplyRunning
    depth = parent.depth or await repository.count_depth(session, chat_id=chat_id, message_id=parent_id)
    return Above(parent.branch_file_ids, depth)


async def run_ids(session: AsyncSession, *, chat_id: UUID) -> Sequence[UUID]:
    """The runs that wrote replies of the chat: each has the id of its reply."""
    return await repository.agent_replies(session, chat_id=chat_id)


async def depth_of(session: AsyncSession, row: MessageRow) -> int:
    """How many messages the branch has up to this one."""
    return row.depth or await repository.count_depth(session, chat_id=row.chat_id, message_id=row.id)


async def check_versions(
    session: AsyncSession, chat_id: UUID, parent_id: UUID | None, *, siblings_max: int
) -> None:
    """Raises: TooManySiblings when one more child would pass the bound."""
    if (
        await repository.count_children(session, chat_id=chat_id, parent_id=parent_id, limit=siblings_max)
        >= siblings_max
    ):
        raise TooManySiblings(siblings_max)


def user_row(
    chat_id: UUID, *, parent_id: UUID | None, content: str, attachments: Sequence[Attachment], above: Above
) -> dict[str, Any]:
    """A person's message, ready to insert. `above.file_ids` hold its own files too."""
    stored = [attachment.model_dump(mode="json") for attachment in attachments]
    files = {"attachments": stored, "branch_file_ids": list(above.file_ids)}
    return {
        **_row(chat_id, parent_id),
        "role": "user",
        "content": content,
        "status": "complete",
        "depth": above.depth + 1,
        **files,
    }


def reply_row(
    chat_id: UUID, *, parent_id: UUID, depth: int, model: str, turn_id: UUID, agent_id: UUID | None
) -> dict[str, Any]:
    """An empty reply whose first turn begins, ready to insert."""
    turn = {"status": "streaming", "turn_id": turn_id, "stream_from": 1, "depth": depth}
    return {**_row(chat_id, parent_id), "role": "assistant", "model": model, "agent_id": agent_id, **turn}


def _row(chat_id: UUID, parent_id: UUID | None) -> dict[str, Any]:
    now = utc_now()
    # Every column is named, so that rows of both roles go in one statement.
    empty: dict[str, Any] = {
        "content": "",
        "model": None,
        "turn_id": None,
        "stream_from": None,
        "stream_to": None,
        "error": None,
    }
    empty |= {"attachments": [], "branch_file_ids": [], "citations": [], "steps": [], "agent_id": None}
    empty |= {"finish_reason": None, "reasoning": "", "left_out": None}
    empty |= {"prompt_tokens": None, "completion_tokens": None, "cost_nano": None, "remaining_nano": None}
    return {
        "id": uuid7(),
        "chat_id": chat_id,
        "parent_id": parent_id,
        **empty,
        "created_at": now,
        "updated_at": now,
    }


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    await repository.add(session, rows)


async def reopen(
    session: AsyncSession, row: MessageRow, *, turn_id: UUID, model: str, stream_from: int
) -> None:
    """A reply that ended early continues in a new turn."""
    values = {
        "status": "streaming",
        "error": None,
        "finish_reason": None,
        "model": model,
        "turn_id": turn_id,
        "stream_from": stream_from,
        "stream_to": None,
        "updated_at": utc_now(),
    }
    await repository.change(session, chat_id=row.chat_id, message_id=row.id, values=values)


async def close(
    session: AsyncSession, *, chat_id: UUID, message_id: UUID, ending: ReplyEnding, stream_to: int
) -> MessageUsage | None:
    """Fold a turn into its reply; returns what the reply took over all its turns."""
    usage = ending.usage or MessageUsage()
    # Empty on a turn that continues: what the reply was looked up in before stays with it.
    looked_up = bool(ending.steps or ending.citations)
    values = {
        "status": ending.status,
        "finish_reason": ending.finish_reason,
        "error": None if ending.error is None else ending.error.model_dump_json(),
        "stream_to": stream_to,
        "updated_at": utc_now(),
        "said": ending.text,
        "thought": ending.reasoning,
        "thought_max": REASONING_CHARS_MAX,
        "steps": orjson.dumps(list(ending.steps)).decode() if looked_up else None,
        "citations": orjson.dumps(list(ending.citations)).decode() if looked_up else None,
        "left_out": None if ending.left_out is None else orjson.dumps(dict(ending.left_out)).decode(),
        **usage.model_dump(),
    }
    row = await repository.close(session, chat_id=chat_id, message_id=message_id, values=values)
    return None if row is None else usage_of(row)


async def add_usage(session: AsyncSession, *, chat_id: UUID, message_id: UUID, usage: MessageUsage) -> None:
    """Add a turn's usage that became known late."""
    added, known = _counted(usage)
    if added:
        await repository.fold(session, chat_id=chat_id, message_id=message_id, added=added, values=known)


def _counted(usage: MessageUsage | None) -> tuple[dict[str, int], dict[str, Any]]:
    """What adds up over the turns of a reply, and what the last turn knows best. Unknown members change
    nothing.
    """
    if usage is None:
        return {}, {}
    sums = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost_nano": usage.cost_nano,
    }
    known = {} if usage.remaining_nano is None else {"remaining_nano": usage.remaining_nano}
    return {name: amount for name, amount in sums.items() if amount is not None}, known


async def history(
    session: AsyncSession, *, chat_id: UUID, leaf_id: UUID, messages_max: int, bytes_max: int
) -> BranchHistory:
    """The newest part of the branch that ends in `leaf_id`, read within the budget."""
    rows = await repository.history(
        session, chat_id=chat_id, leaf_id=leaf_id, depth_max=messages_max, bytes_max=bytes_max
    )
    count = rows[0][2] if rows else 0
    if count is None:
        count = await repository.count_depth(session, chat_id=chat_id, message_id=leaf_id)
    return BranchHistory([PromptLine(role, content) for role, content, _ in rows], count)


async def note_left_out(
    session: AsyncSession, *, chat_id: UUID, message_id: UUID, left_out: LeftOutEventData
) -> None:
    """Remember at once what a reply's model does not see; the end of its turn may say more."""
    await repository.change(
        session, chat_id=chat_id, message_id=message_id, values={"left_out": left_out.model_dump(mode="json")}
    )
