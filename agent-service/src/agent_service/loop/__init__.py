"""The work of a run: model steps and tool calls, until it ends."""
