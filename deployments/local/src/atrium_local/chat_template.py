"""Small changes to a model's own chat template, read from its file at start, so that small models can use
tools.
"""

_FENCE = "```json"
_FENCE_END = "```"


def adapt(template: str) -> str:
    """The template with tool calls as fenced JSON and tool results as plain user text.

    Qwen2.5-Coder was trained to answer with a fenced JSON block and ignores the template's <tool_call> tags,
    so the server finds no call in its answers. After a tagged tool result it calls the tool again; told to
    answer, it does. Templates without those tags come back unchanged.
    """
    if "<tool_call>" not in template:
        return template
    return (
        template.replace("within <tool_call></tool_call> XML tags", f"within a {_FENCE} code block")
        .replace("<tool_call>", _FENCE)
        .replace("</tool_call>", _FENCE_END)
        .replace("<tool_response>\\n", "Result of the tool call:\\n")
        .replace("\\n</tool_response>", "\\nAnswer the question with it in one sentence.")
    )
