"""Writes the table of known context windows from LiteLLM's public price list.

Usage: pip download --no-deps litellm && python tools/context_windows.py litellm-*.whl
The list is MIT licensed (Copyright (c) 2023 Berri AI); the table keeps the notice, its version and the day it
was taken.
"""

import json
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from inference_service.known_windows import TABLE_PATH, canonical
from shared.clock import utc_now

_LIST = "litellm/model_prices_and_context_window_backup.json"
_MODES = frozenset({"chat", "responses", "completion", "embedding"})
# Who makes a model knows its window best; others may serve it with a smaller one.
_MAKERS = frozenset({
    "openai", "text-completion-openai", "anthropic", "gemini", "vertex_ai-language-models", "mistral",
    "deepseek", "xai", "cohere",
    "cohere_chat", "moonshot", "dashscope", "zai", "minimax", "perplexity", "voyage",
})  # fmt: skip
_TOKENS_MAX = 20_000_000

Window = tuple[int, int | None]


def main() -> int:
    wheel = Path(sys.argv[1])
    with zipfile.ZipFile(wheel) as archive:
        listed: dict[str, dict[str, Any]] = json.loads(archive.read(_LIST))
    windows = {name: list(window) for name, window in sorted(_windows(listed).items())}
    header = {
        "source": f"{_LIST} of litellm {wheel.name.split('-')[1]}",
        "licence": "MIT, Copyright (c) 2023 Berri AI, https://github.com/BerriAI/litellm/blob/main/LICENSE",
        "taken_on": utc_now().date().isoformat(),
        "columns": ["model", "context tokens", "most output tokens or null"],
    }
    rows = ",\n".join(json.dumps([name, *window]) for name, window in windows.items())
    text = json.dumps(header, indent=1).removesuffix("\n}") + f',\n "models": [\n{rows}\n ]\n}}\n'
    TABLE_PATH.write_text(text, encoding="utf-8")
    print(f"{len(windows)} models in {TABLE_PATH}")
    return 0


def _windows(listed: dict[str, dict[str, Any]]) -> dict[str, Window]:
    makers: dict[str, Window] = {}
    others: dict[str, Counter[Window]] = {}
    for name, entry in listed.items():
        window = _window(entry)
        if window is None:
            continue
        if entry.get("litellm_provider") in _MAKERS:
            makers.setdefault(canonical(name), window)
        others.setdefault(canonical(name), Counter())[window] += 1
    # Most often served so; of two that are as frequent the smaller.
    usual = {
        name: max(counted, key=lambda window: (counted[window], -window[0]))
        for name, counted in others.items()
    }
    return {**usual, **makers}


def _window(entry: dict[str, Any]) -> Window | None:
    context, output = entry.get("max_input_tokens"), entry.get("max_output_tokens")
    if (
        entry.get("mode") not in _MODES
        or not isinstance(context, int | float)
        or not 0 < context <= _TOKENS_MAX
    ):
        return None
    known = isinstance(output, int | float) and 0 < output <= _TOKENS_MAX and entry["mode"] != "embedding"
    return int(context), int(output) if known else None


if __name__ == "__main__":
    sys.exit(main())
