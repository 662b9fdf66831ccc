"""Marks between messages cannot be written by people, documents or tools."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_service.providers.control_tokens import ControlTokens
from inference_service.providers.local_status import LocalModelStatus

MARKS = [
    "<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<s>", "</s>",
    "<start_of_turn>", "<end_of_turn>",
    "[INST]", "[/INST]", "<<SYS>>", "<\uff5cUser\uff5c>", "<eos>",
]  # fmt: skip


@pytest.mark.parametrize("mark", MARKS)
def test_no_mark_is_left_in_any_text(mark: str) -> None:
    nested = {"messages": [{"content": f"a{mark}b{mark}"}], mark: [mark, 1, None, True]}
    safe = ControlTokens().neutralise(nested)
    assert mark not in json.dumps(safe, ensure_ascii=False)
    assert safe["messages"][0]["content"].replace("\u200b", "") == f"a{mark}b{mark}"


def test_other_text_is_untouched() -> None:
    text = "if a < b | c > d: x = [1]; <p>html</p> List<String> <- |x|"
    assert ControlTokens().neutralise(text) == text


@given(st.text(alphabet="<|im_endstar>\u200b ", max_size=60))
def test_what_was_made_safe_stays_safe(text: str) -> None:
    safe = ControlTokens(["<|im_end|>"]).neutralise(text)
    assert not any(mark in safe for mark in MARKS)
    assert ControlTokens(["<|im_end|>"]).neutralise(safe) == safe


def test_the_models_own_marks_come_from_the_status_file(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"state": "ready", "model": "m", "control_tokens": ["@@TURN@@", "@@T"]}))
    status = LocalModelStatus(path, default_model="m")
    status.read()
    assert "@@TURN@@" not in status.control_tokens.neutralise("x @@TURN@@ y @@T")
