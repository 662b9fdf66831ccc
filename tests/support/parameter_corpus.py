"""Parameters that some provider somewhere understands, by what they would do to the price."""

from typing import Any

# Of the documents of llama.cpp, vLLM, SGLang, TGI, TensorRT-LLM, Ollama, LM Studio, OpenRouter, OpenAI,
# Mistral, DeepSeek, Anthropic, Gemini, Cohere, Perplexity, Groq, Together, Fireworks, xAI and LiteLLM.
MORE_OUTPUT = {
    "n_predict": 400, "num_predict": 400, "max_output_tokens": 400, "max_new_tokens": 400,
    "max_tokens_to_sample": 400, "max_gen_len": 400,
    "max_length": 400, "maxTokens": 400, "maxOutputTokens": 400, "min_tokens": 400, "min_new_tokens": 400,
    "min_length": 400,
    "min_completion_tokens": 400, "ignore_eos": True, "include_stop_str_in_output": True,
    "stop_token_ids": [], "length_penalty": 9,
    "best_of": 8, "num_return_sequences": 8, "candidate_count": 8, "candidateCount": 8, "n_cmpl": 8,
    "use_beam_search": True,
    "early_stopping": False, "beam_width": 8, "num_generations": 8, "echo": True,
    "continuous_usage_stats": True, "n_indent": 4,
    "t_max_predict_ms": 100_000, "n_keep": -1, "reasoning": {"max_tokens": 9000},
    "thinking": {"type": "enabled", "budget_tokens": 9000},
    "thinking_budget": 9000, "reasoning_budget": 9000, "reasoning_budget_tokens": 9000,
    "thinking_token_budget": 9000, "think": "high",
    "enable_thinking": True, "include_reasoning": True, "reasoning_format": "none", "reasoning_split": True,
    "separate_reasoning": False,
    "add_generation_prompt": False, "continue_final_message": True, "output_config": {"effort": "max"},
    "prefix": "go on",
    "generation_config": {"max_output_tokens": 400}, "sampling_params": {"max_new_tokens": 400},
    "parameters": {"max_new_tokens": 400},
    "options": {"num_predict": 400}, "extra_body": {"n_predict": 400}, "logits_processors": [],
    "custom_logit_processor": "x",
}  # fmt: skip


OTHER_MODEL = {
    "models": ["dear/model"], "route": "fallback", "provider": {"order": ["dear"]}, "providers": ["dear"],
    "fallbacks": ["dear"],
    "fallback_models": ["dear"], "transforms": ["middle-out"], "preset": "dear", "plugins": [{"id": "web"}],
    "deployment_id": "dear",
    "engine": "dear", "lora": [{"id": 0}], "lora_path": "x", "lora_request": {}, "lora_adapter": "x",
    "adapter_id": "x", "adapter": "x",
    "draft_model": "x", "speculative": {}, "speculative.n_max": 64, "model_id": "dear", "model_name": "dear",
    "api_base": "http://x",
    "api_key": "x", "base_url": "http://x", "base_model": "dear", "custom_llm_provider": "dear",
    "mock_response": "x", "num_retries": 9,
    "model_list": [], "context_window_fallback_dict": {}, "weights": "x",
}  # fmt: skip


OTHER_PRICE = {
    "service_tier": "priority", "priority": 1, "modalities": ["text", "audio"],
    "audio": {"voice": "x", "format": "wav"},
    "web_search_options": {}, "web_search": True, "enable_search": True, "search_parameters": {"mode": "on"},
    "search": True,
    "search_mode": "academic", "return_images": True, "return_citations": True,
    "return_related_questions": True, "citations": True,
    "prediction": {"type": "content", "content": "x"}, "prompt_cache_retention": "24h",
    "prompt_cache_options": {"ttl": "30m"},
    "cache_control": {"type": "ephemeral"}, "moderation": {"model": "omni-moderation-latest"},
    "safety_settings": [],
    "functions": [{"name": "f", "parameters": {}}], "function_call": "auto",
    "documents": [{"text": "x" * 400}],
    "tool_resources": {}, "mcp_servers": [], "container": "x", "speed": "fast", "performance": "fast",
    "inference_geo": "us",
    "verbosity_level": 9, "deferred": True, "background": True, "previous_response_id": "x",
    "conversation": "x", "instructions": "x" * 400,
    "input": "x" * 400, "prompt": "x" * 400, "system": "x" * 400, "suffix": "x", "raw": True, "images": ["x"],
    "video": "x",
    "truncation": "auto", "include": ["x"], "stream_tool_calls": True, "citation_options": {},
    "guardrails": [], "usage": {"include": True},
    "compound_custom": {}, "disable_search": False, "safe_prompt": True,
}  # fmt: skip


OTHER_PROMPT = {
    "chat_template": "{{ 'x' * 4000 }}", "chat_template_kwargs": {"x": "y" * 400}, "template": "x" * 400,
    "prompt_logprobs": 20,
    "logprob_start_len": 0, "top_logprobs_num": 20, "n_probs": 1000, "min_keep": 1000,
    "post_sampling_probs": True, "return_tokens": True,
    "return_token_ids": True, "return_hidden_states": True, "return_progress": True,
    "timings_per_token": True, "id_slot": 0, "slot_id": 0,
    "cache_prompt": True, "n_cache_reuse": 1, "cache_salt": "x", "keep_alive": -1, "session_id": "x",
    "user_id": "x", "request_id": "x",
    "kv_transfer_params": {}, "vllm_xargs": {}, "bootstrap_host": "x", "rid": "x", "num_ctx": 1_000_000,
    "format": "json",
    "grammar": 'root ::= "x"', "json_schema": {}, "guided_json": {}, "guided_regex": ".*",
    "guided_choice": ["x"], "guided_grammar": "x",
    "structured_outputs": {}, "regex": ".*", "ebnf": "x", "mm_processor_kwargs": {},
    "truncate_prompt_tokens": 1,
    "add_special_tokens": False,
    "spaces_between_special_tokens": True, "skip_special_tokens": False, "parse_tool_calls": False,
    "samplers": ["top_k"], "mirostat": 2,
    "dry_multiplier": 1, "xtc_probability": 1, "typical_p": 1, "tfs_z": 1, "top_a": 1, "logits_bias": {},
    "bad_words": [],
    "frequency_penalty_": 1, "MAX_TOKENS": 400, "max_tokens ": 400, "": 400, "__proto__": {"max_tokens": 400},
    "constructor": {},
}  # fmt: skip


CORPUS: dict[str, Any] = {**MORE_OUTPUT, **OTHER_MODEL, **OTHER_PRICE, **OTHER_PROMPT}


TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}


CALL = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}


FULL: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ],
    "max_tokens": 1,
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "clock"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
}


PLACES = (
    "messages[0]", "messages[0].content[0]", "messages[1]", "messages[1].tool_calls[0]",
    "messages[1].tool_calls[0].function",
    "messages[2]", "stream_options", "tools[0]", "tools[0].function", "tool_choice", "tool_choice.function",
    "response_format",
    "response_format.json_schema",
)  # fmt: skip
