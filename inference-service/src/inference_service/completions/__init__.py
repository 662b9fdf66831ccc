"""Chat completions: parsed once, entitled, dispatched, streamed and settled."""
