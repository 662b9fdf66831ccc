"""llama.cpp's HTTP server inside this process; the binding is a compiled module without types."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import xllamacpp  # pyright: ignore[reportMissingTypeStubs] - compiled, ships no types

from atrium_local.catalogue import Sampling

_TIMEOUT_S = 3600  # two threads under load answer slowly; the caller decides when to give up


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the model is served."""

    model_path: Path
    model_id: str
    host: str
    port: int
    api_key: str
    context_tokens: int  # shared by the parallel answers
    parallel: int
    threads: int  # 0: one less than there are cores
    chat_template: str | None
    sampling: Sampling | None  # None: llama.cpp's own


def start_server(options: ServerOptions) -> object:
    """Load the model and serve it until the returned object is deleted. Blocks while it loads."""
    module = cast("Any", xllamacpp)
    parameters = module.CommonParams()
    parameters.model.path = str(options.model_path)
    parameters.model_alias = {options.model_id}
    parameters.hostnames = [options.host]
    parameters.port = options.port
    parameters.n_parallel = options.parallel
    parameters.n_ctx = options.context_tokens
    threads = options.threads or max(1, (os.cpu_count() or 2) - 1)
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.api_keys = [options.api_key]
    parameters.timeout_read = _TIMEOUT_S
    parameters.timeout_write = _TIMEOUT_S
    parameters.endpoint_metrics = True
    # Nothing of one person's prompt is kept where another's request could find it or see how much of it was
    # there.
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.n_ctx_checkpoints = 0
    parameters.slot_prompt_similarity = 0.0
    parameters.endpoint_slots = False
    if options.sampling is not None:
        parameters.sampling.temp = options.sampling.temperature
        parameters.sampling.top_p = options.sampling.top_p
        parameters.sampling.top_k = options.sampling.top_k
        parameters.sampling.penalty_repeat = options.sampling.repetition_penalty
    if options.chat_template is not None:
        parameters.chat_template = options.chat_template
    return cast("object", module.Server(parameters))
