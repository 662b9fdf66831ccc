"""A completion through gateway, inference-service and billing-service with entitlement on, beside the LiteLLM
proxy.

Counted is the CPU time of the three services and of PostgreSQL (fsync on) for each request; the scripted
provider and the load generator are not counted. LiteLLM runs without a database when its command is installed
(`uv tool install 'litellm[proxy]'`).
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.load import LoadResult, run_load
from benchmarks.platform import MODEL, platform
from benchmarks.processes import cpu_tree_us, free_port, python_module, running

_CHAIN = ("gateway", "inference-service", "billing-service", "postgres")
_LITELLM_MEASURED_US = 5314
"""CPU per request of LiteLLM 1.109's proxy without a database, measured on a quiet machine of two cores."""


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


def chain(*, connections: int, seconds: float) -> dict[str, object]:
    """CPU per request of each process of the chain."""
    with platform(asyncio.run) as ready:
        url, authorization = f"{ready.url}/v1/chat/completions", f"Bearer {ready.token}"
        _load(url, _body(MODEL), authorization, connections=connections, seconds=2)
        before = ready.cpu_us(_CHAIN)
        result = _load(url, _body(MODEL), authorization, connections=connections, seconds=seconds)
        after = ready.cpu_us(_CHAIN)
        charged = asyncio.run(ready.sql("SELECT count(*) FROM billing.hold WHERE state = 'settled'"))[0][0]
    used = {name: (after[name] - before[name]) / result.requests for name in _CHAIN}
    return {
        "requests_per_s": round(result.requests / result.seconds),
        "p50_ms": round(result.p50_ms, 1),
        "p99_ms": round(result.p99_ms, 1),
        "cpu_us_per_request": round(sum(used.values())),
        **{f"cpu_us_{name}": round(value) for name, value in used.items()},
        "settled_holds": charged,
    }


def litellm(*, connections: int, seconds: float) -> dict[str, object] | None:
    """The same request through LiteLLM's proxy, which meters nothing without a database; None when it is not
    installed.
    """
    command = shutil.which("litellm")
    if command is None:
        return None
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
            _load(
                url, _body(MODEL), "Bearer sk-bench", connections=2, seconds=15
            )  # its first request imports for seconds
            before = cpu_tree_us(process.pid)
            result = _load(url, _body(MODEL), "Bearer sk-bench", connections=connections, seconds=seconds)
            used = (cpu_tree_us(process.pid) - before) / result.requests
    return {
        "requests_per_s": round(result.requests / result.seconds),
        "p99_ms": round(result.p99_ms, 1),
        "cpu_us_per_request": round(used),
    }


def run(*, connections: int, seconds: float) -> dict[str, object]:
    """Both chains, and how many times more requests ours serves per CPU second."""
    ours = chain(connections=connections, seconds=seconds)
    theirs = litellm(connections=connections, seconds=seconds)
    figure = ours["cpu_us_per_request"]
    assert isinstance(figure, int)
    other = theirs["cpu_us_per_request"] if theirs else _LITELLM_MEASURED_US
    assert isinstance(other, int)
    return {
        **ours,
        "litellm": theirs
        or f"not installed; {_LITELLM_MEASURED_US} us a request was measured on a quiet machine",
        "times_litellm": round(other / figure, 1),
        "target": "times_litellm >= 14",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    print(json.dumps(run(connections=options.connections, seconds=options.seconds), indent=2))


if __name__ == "__main__":
    main()
