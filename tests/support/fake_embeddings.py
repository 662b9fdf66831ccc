"""An embedding model for tests of what asks one: refuses, waits and counts as told."""

import asyncio
import base64
import hashlib
import json
from collections import deque
from typing import Any

import jwt
import numpy as np
from servers import read_body


class FakeInference:
    """POST /v1/embeddings as the inference-service answers it. `refusals` are used up first; a closed `gate`
    keeps callers waiting.

    So does `held`, those who call for one of these persons.
    """

    def __init__(self) -> None:
        self.refusals: deque[tuple[int, dict[str, Any]]] = deque()
        self.refuse_always: tuple[int, dict[str, Any]] | None = None
        self.texts: list[str] = []
        self.subjects: set[str] = set()
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.held: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        self.calls += 1
        await self.gate.wait()
        token = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        if (released := self.held.get(claims["act"]["sub"])) is not None:
            await released.wait()
        refusal = self.refusals.popleft() if self.refusals else self.refuse_always
        if refusal is not None:
            await _answer(send, *refusal)
            return
        self.subjects.add(json.dumps(claims))
        texts = json.loads(body)["input"]
        self.texts += texts
        data = [{"index": index, "embedding": _vector(text)} for index, text in enumerate(texts)]
        await _answer(send, 200, {"data": data[::-1]})


def _vector(text: str) -> str:
    numbers = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])).normal(
        size=384
    )
    return base64.b64encode((numbers / np.linalg.norm(numbers)).astype("<f4").tobytes()).decode()


async def _answer(send: Any, status: int, body: dict[str, Any]) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
