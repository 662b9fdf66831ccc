"""What can be refused about agents."""

from uuid import UUID

from shared.errors import AppError, Conflict, Forbidden, Invalid, NotFound


class AgentNotFound(NotFound):
    """The agent is not there or not the caller's to see; the two look the same from outside."""

    code = "agent_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such agent; GET /api/v1/agents lists those you can use")


class AgentReadOnly(Forbidden):
    """The agent can be used but not changed."""

    code = "agent_read_only"

    def __init__(self) -> None:
        super().__init__("this agent is not yours to change; make a new one with its fields instead")


class TooManyAgents(Conflict):
    """The person has as many agents as may be."""

    code = "too_many_agents"

    def __init__(self, count_max: int) -> None:
        super().__init__(f"you have {count_max} agents already; delete one first", extra={"limit": count_max})


class ToolUnknown(Invalid):
    """A tool that does not exist was chosen."""

    code = "tool_unknown"

    def __init__(self, name: str) -> None:
        detail = f"there is no tool named {name}; GET /api/v1/agents/tools lists them"
        super().__init__(
            f"tools: {detail}", errors=[{"field": "body.tools", "code": self.code, "detail": detail}]
        )


class ToolTwice(Invalid):
    """The same tool was chosen more than once."""

    code = "tool_twice"

    def __init__(self, name: str) -> None:
        detail = f"{name} is named more than once"
        super().__init__(
            f"tools: {detail}", errors=[{"field": "body.tools", "code": self.code, "detail": detail}]
        )


class LimitTooHigh(Invalid):
    """A limit is above what the operator allows."""

    code = "limit_too_high"

    def __init__(self, name: str, allowed: int) -> None:
        detail = f"at most {allowed} is allowed here"
        super().__init__(
            f"limits.{name}: {detail}",
            errors=[{"field": f"body.limits.{name}", "code": self.code, "detail": detail}],
        )


def source_not_found(field: str, missing: UUID, refusal: AppError) -> NotFound:
    """A knowledge base or file that the caller cannot read."""
    kind = "knowledge base" if field == "knowledge_base_ids" else "file"
    detail = f"there is no {kind} {missing} that you can read"
    return NotFound(
        f"{field}: {detail}",
        code=refusal.code if refusal.code != "not_found" else f"{kind.replace(' ', '_')}_not_found",
        errors=[{"field": f"body.{field}", "code": "not_found", "detail": detail}],
    )
