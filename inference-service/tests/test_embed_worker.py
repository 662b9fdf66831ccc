"""The ONNX graph against a plain reading of the paper: the same network, written out in float64."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_service.embed_worker.encoder import Encoder, batches
from inference_service.embed_worker.frames import (
    EmbedReply,
    EmbedRequest,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)
from inference_service.embed_worker.weights import Tensors, read_float32_tensors
from tokenizers import Encoding, Tokenizer

Matrix = npt.NDArray[np.float64]
TEXTS = ["This is an example sentence", "naïve café 東京", "x", "a much longer text " * 60]


class Oracle:
    """One text at a time, no batching, no padding."""

    def __init__(self, weights: Tensors) -> None:
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(self, value: Matrix, name: str) -> Matrix:
        return value @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, value: Matrix, name: str) -> Matrix:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, value: Matrix, name: str) -> Matrix:
        heads = []
        query, key, content = (
            self.linear(value, f"{name}.attention.self.{part}") for part in ("query", "key", "value")
        )
        for head in range(12):
            own = slice(head * 32, head * 32 + 32)
            scores = np.exp(query[:, own] @ key[:, own].T / math.sqrt(32))
            heads.append(scores / scores.sum(-1, keepdims=True) @ content[:, own])
        mixed = self.linear(np.concatenate(heads, -1), f"{name}.attention.output.dense")
        return self.norm(mixed + value, f"{name}.attention.output.LayerNorm")

    def embed(self, ids: list[int]) -> Matrix:
        value = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        )
        value = self.norm(
            value + self.weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm"
        )
        for layer in range(6):
            name = f"encoder.layer.{layer}"
            value = self.attention(value, name)
            inner = self.linear(value, f"{name}.intermediate.dense")
            inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            value = self.norm(self.linear(inner, f"{name}.output.dense") + value, f"{name}.output.LayerNorm")
        mean = value.mean(0)
        return mean / np.linalg.norm(mean)


def test_the_graph_computes_what_the_paper_says(embedding_model: Path) -> None:
    vectors, tokens = Encoder(embedding_model, threads=1).encode(TEXTS)
    oracle = Oracle(read_float32_tensors(embedding_model / "model.safetensors"))
    tokenizer = Tokenizer.from_file(str(embedding_model / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    for place, text in enumerate(TEXTS):
        ids = tokenizer.encode(text).ids
        assert tokens[place] == len(ids)
        assert vectors[place] @ oracle.embed(ids) == pytest.approx(1, abs=1e-5)
        assert np.abs(vectors[place] - oracle.embed(ids)).max() < 1e-5


@given(st.lists(st.integers(2, 256), max_size=100))
def test_batches_hold_every_text_once_and_little_padding(lengths: list[int]) -> None:
    found = batches(lengths)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[index] for index in batch)
        assert longest * len(batch) <= 512
        assert sum(lengths[index] for index in batch) * 2 >= longest * len(batch)


def test_a_cut_off_file_is_refused(embedding_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model.safetensors"
    broken.write_bytes((embedding_model / "model.safetensors").read_bytes()[:1_000_000])
    with pytest.raises(ValueError, match="cut off"):
        read_float32_tensors(broken)


def test_frames_survive_the_pipe() -> None:
    request = EmbedRequest(id=7, texts=["a", "ü", ""])
    assert decode_request(encode_request(request)[4:]) == request
    reply = EmbedReply(id=7, dimensions=2, tokens=[1, 2], vectors=b"\x00" * 16, error=None)
    assert decode_reply(encode_reply(reply)[4:]) == reply


HUGE = {
    "words": "a sentence about nothing in particular, " * 26_000,
    "letters of their own": "東京" * 170_000,
    "blanks": " " * 300_000 + "and a word",
    "one word": "x" * 300_000,
    "long words": ("x" * 120 + " ") * 3_000,
    "words behind a gap": "begin" + "\n" * 70_000 + "then it goes on, " * 5_000,
    "cut inside of a word": "ab " * 1_300 + "internationalisation " * 50_000,
    "the last token at the cut": " " * 3_600 + "internationalisation " * 50_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_of_a_huge_text_the_same_is_read_as_if_all_of_it_were(embedding_model: Path, name: str) -> None:
    encoder = Encoder(embedding_model, threads=1)
    tokenizer = Tokenizer.from_file(str(embedding_model / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    assert encoder._read([HUGE[name], "x"])[0].ids == tokenizer.encode(HUGE[name]).ids


def test_of_a_huge_text_only_the_beginning_is_taken_apart(embedding_model: Path) -> None:
    """Whose turn it is next waits for it."""
    encoder = Encoder(embedding_model, threads=1)
    tokenizer, given = encoder._tokenizer, list[str]()

    class Counting:
        def encode_batch(self, texts: list[str]) -> list[Encoding]:
            given.extend(texts)
            return tokenizer.encode_batch(texts)

        def encode(self, text: str) -> Encoding:
            given.append(text)
            return tokenizer.encode(text)

    encoder._tokenizer = Counting()  # type: ignore[assignment]
    encoder.encode([HUGE["words"], HUGE["letters of their own"]])
    assert sum(map(len, given)) < 10_000
