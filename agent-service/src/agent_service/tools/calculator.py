"""The tool `calculator`."""

from collections.abc import Mapping
from typing import Any

from agent_service.tools.arithmetic import EXPRESSION_CHARS_MAX, Uncomputable, evaluate, write_number
from agent_service.tools.port import ToolContext, ToolResult


class Calculator:
    """Works out arithmetic exactly."""

    name = "calculator"
    title = "Calculator"
    description = (
        "Work out an arithmetic expression exactly, for example 37 * 91 or sqrt(2) / 3. Use it for every "
        "calculation."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "minLength": 1,
                "maxLength": EXPRESSION_CHARS_MAX,
                "description": (
                    "numbers with + - * / // % ** ( ) and functions such as sqrt, log, sin, min, max, round"
                ),
            }
        },
        "required": ["expression"],
        "additionalProperties": False,
    }
    source = "built-in"
    timeout_s = 5.0
    repeatable = True
    needs_approval = False

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`expression = value`."""
        expression = str(arguments["expression"]).strip()
        try:
            return ToolResult(f"{expression} = {write_number(evaluate(expression))}")
        except Uncomputable as error:
            return ToolResult(f"The calculator cannot work this out: {error}.", failed=True)
