"""Completions asked for in tests, and what is read from their answers."""

import json
from typing import Any

import httpx

INPUT_NANO, OUTPUT_NANO, WALLET_NANO = 10, 20, 1_000_000_000


def ask(model: str = "fake-echo", text: str = "one two three", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


def cost_nano(usage: dict[str, int]) -> int:
    return usage["prompt_tokens"] * INPUT_NANO + usage["completion_tokens"] * OUTPUT_NANO


async def post(running: Any, body: Any, **options: Any) -> httpx.Response:
    return await running.client.post("/v1/chat/completions", json=body, **options)


def events_of(response: httpx.Response) -> list[Any]:
    data = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
    return [entry if entry == "[DONE]" else json.loads(entry) for entry in data]
