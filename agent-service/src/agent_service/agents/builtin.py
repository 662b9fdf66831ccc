"""The agent every installation has."""

from datetime import UTC, datetime

from shared.contracts.agents import ASSISTANT_AGENT_ID, Agent, ToolChoice

_SINCE = datetime(2026, 1, 1, tzinfo=UTC)

ASSISTANT = Agent(
    id=ASSISTANT_AGENT_ID,
    name="Assistant",
    description="Answers with tools: calculates, knows the date, searches your documents and runs Python.",
    tools=[ToolChoice(name=name) for name in ("calculator", "datetime", "search_documents", "python")],
    access="organisation",
    built_in=True,
    writable=False,
    created_at=_SINCE,
    updated_at=_SINCE,
)
