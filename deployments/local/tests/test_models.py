"""The catalogue, the model's metadata and its chat template."""

import struct
from pathlib import Path

import pytest
from atrium_local.adapters.llama import ServerOptions
from atrium_local.catalogue import MODELS, model_named
from atrium_local.chat_template import adapt
from atrium_local.errors import LocalError
from atrium_local.gguf import read_metadata
from atrium_local.model_server import ModelServerSettings, options_for
from atrium_local.settings import DEFAULT_MODEL

ROOT = Path(__file__).parent.parent


def gguf(entries: dict[str, str | int | list[str]]) -> bytes:
    def text(value: str) -> bytes:
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    body = b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries))
    for key, value in entries.items():
        body += text(key)
        if isinstance(value, str):
            body += struct.pack("<I", 8) + text(value)
        elif isinstance(value, int):
            body += struct.pack("<II", 4, value)
        else:
            body += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(entry) for entry in value)
    return body


def test_metadata_is_read_past_long_arrays(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(
        gguf({"general.architecture": "tiny", "tokens": ["a", "bcd", ""], "tiny.context_length": 77})
    )
    assert read_metadata(path) == {"general.architecture": "tiny", "tiny.context_length": 77}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", gguf({"a": "b"})[:-1], b"GGUF" + b"\xff" * 40])
def test_what_is_no_model_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(LocalError, match="is not a GGUF model file"):
        read_metadata(path)


def test_tool_calls_are_asked_for_as_fenced_json() -> None:
    adapted = adapt(
        "use <tool_call></tool_call> XML tags: '\\n<tool_call>\\n' call '\\n</tool_call>' "
        "'\\n<tool_response>\\n' r '\\n</tool_response>'"
    )
    assert "tool_call>" not in adapted
    assert "tool_response>" not in adapted
    assert adapted.count("```json") == 2


def test_a_template_without_tools_is_left_alone() -> None:
    template = "{{ messages }}"
    assert adapt(template) == template


def test_a_file_named_as_a_model_of_the_catalogue_is_sampled_as_that_model(tmp_path: Path) -> None:
    def options(name: str) -> ServerOptions:
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(gguf({"general.architecture": "tiny"}))
        return options_for(ModelServerSettings(model_path=path, model_host="0.0.0.0"), path)

    assert options(DEFAULT_MODEL).sampling == model_named(DEFAULT_MODEL).sampling
    assert options(DEFAULT_MODEL).host == "0.0.0.0"
    assert options("mine").sampling is None


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(LocalError, match="smollm2-135m-instruct"):
        model_named("gpt-oss")


def test_every_weight_is_attributed() -> None:
    page = (ROOT / "MODELS.md").read_text()
    for model in MODELS:
        assert f"`{model.id}`" in page
        for blob in model.files:
            assert blob.sha256 in page
            assert f"{blob.size_bytes:,}" in page
