"""A completion through gateway, inference-service and billing-service with entitlement on, beside the LiteLLM
proxy.

Calls to billing that come together travel together, so what one costs falls with how many are under way:
16 and 64 connections in a closed loop. Counted is the CPU time of the three services and of PostgreSQL (fsync
on) for each request; the scripted provider and the load generator are not counted. LiteLLM runs without a
database, when its command is installed (`uv tool install 'litellm[proxy]'`).
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.load import LoadResult, run_load
from benchmarks.platform import MODEL, Platform, platform
from benchmarks.processes import cpu_tree_us, free_port, python_module, running

_CHAIN = ("gateway", "inference-service", "billing-service", "postgres")


def _body(model: str) -> str:
    messages = [{"role": "user", "content": "Say hello to the people in the next room, please."}]
    return json.dumps({"model": model, "messages": messages, "max_tokens": 32})


def _load(url: str, body: str, authorization: str, *, connections: int, seconds: float) -> LoadResult:
    result = run_load(url, body=body, authorization=authorization, connections=connections, seconds=seconds)
    if result.errors:
        raise RuntimeError(
            f"{result.errors} of {result.requests} requests to {url} failed; the figures would mean nothing"
        )
    return result


def chain(connections: Sequence[int], *, seconds: float) -> list[dict[str, object]]:
    """CPU per request of each process of the chain, under the load of so many connections in turn."""
    with platform(asyncio.run) as ready:
        url, authorization = f"{ready.url}/v1/chat/completions", f"Bearer {ready.token}"
        _load(url, _body(MODEL), authorization, connections=connections[0], seconds=2)
        return [_chain_under(ready, url, authorization, at_once, seconds) for at_once in connections]


def _chain_under(
    ready: Platform, url: str, authorization: str, connections: int, seconds: float
) -> dict[str, object]:
    before = ready.cpu_us(_CHAIN)
    result = _load(url, _body(MODEL), authorization, connections=connections, seconds=seconds)
    after = ready.cpu_us(_CHAIN)
    used = {name: (after[name] - before[name]) / result.requests for name in _CHAIN}
    return {
        "connections": connections,
        "requests_per_s": round(result.requests / result.seconds),
        "p50_ms": round(result.p50_ms, 1),
        "p99_ms": round(result.p99_ms, 1),
        "cpu_us_per_request": round(sum(used.values())),
        **{f"cpu_us_{name}": round(value) for name, value in used.items()},
    }


def litellm(connections: Sequence[int], *, seconds: float) -> list[dict[str, object]]:
    """The same requests through LiteLLM's proxy, which meters nothing without a database; empty when it is
    not installed.
    """
    command = shutil.which("litellm")
    if command is None:
        return []
    provider_port, port = free_port(), free_port()
    provider = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{provider_port}/v1",
        "api_key": "x",
    }
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": provider}],
        "general_settings": {"master_key": "sk-bench"},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        from_module = python_module("fake_provider", "--port", str(provider_port))
        env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        serve = [command, "--config", str(path), "--port", str(port), "--host", "127.0.0.1"]
        with (
            running(from_module, port=provider_port),
            running(serve, port=port, env=env, start_s=180) as process,
        ):
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            # Its first request imports for seconds.
            _load(url, _body(MODEL), "Bearer sk-bench", connections=2, seconds=15)
            return [_litellm_under(process.pid, url, at_once, seconds) for at_once in connections]


def _litellm_under(pid: int, url: str, connections: int, seconds: float) -> dict[str, object]:
    before = cpu_tree_us(pid)
    result = _load(url, _body(MODEL), "Bearer sk-bench", connections=connections, seconds=seconds)
    used = (cpu_tree_us(pid) - before) / result.requests
    return {
        "requests_per_s": round(result.requests / result.seconds),
        "p99_ms": round(result.p99_ms, 1),
        "cpu_us_per_request": round(used),
    }


def run(connections: Sequence[int], *, seconds: float) -> dict[str, object]:
    """Both chains, and how many times more requests ours serves per CPU second."""
    ours = chain(connections, seconds=seconds)
    theirs = litellm(connections, seconds=seconds)
    rounds = [
        {**own, "litellm": other, "times_litellm": round(_cpu_us(other) / _cpu_us(own), 1)}
        for own, other in zip(ours, theirs, strict=False)
    ]
    return {
        "rounds": rounds or ours,
        "litellm": "measured" if theirs else "not installed, so there is nothing to compare with",
        "target": "times_litellm >= 14",
    }


def _cpu_us(figures: Mapping[str, object]) -> int:
    figure = figures["cpu_us_per_request"]
    assert isinstance(figure, int)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    options = parser.parse_args()
    print(json.dumps(run(options.connections, seconds=options.seconds), indent=2))


if __name__ == "__main__":
    main()
