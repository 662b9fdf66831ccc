"""Turns texts into unit vectors with the built-in sentence encoder."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

from inference_service.embed_worker.graph import MINILM, SENTENCE, TOKENS, build_sentence_encoder
from inference_service.embed_worker.weights import read_float32_tensors

# What the model was trained on; longer text is cut there, as its authors do.
TOKENS_MAX = 256
# What is run together, padding included. Activations beyond that leave the caches and are new memory each
# time: 32 texts of 256 tokens together took 100 ms of a core a text, two together take 54; short texts are no
# slower than in large batches.
_BATCH_TOKENS_MAX = 512
# Beyond the first of a text nothing is read: the tokenizer took 0.8 s for a megabyte of which the model sees
# 1,500 characters.
_HEAD_CHARS = 4096
_HEAD_GROWS = 16
_WORD_CHARS_MAX = 100  # a longer one is a single unknown token
Floats = npt.NDArray[np.float32]
_onnxruntime = cast("Any", onnxruntime)


def _open_tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    cast("Any", tokenizer).enable_truncation(TOKENS_MAX)  # its stub leaves the keyword arguments untyped
    tokenizer.no_padding()
    return tokenizer


def batches(lengths: list[int]) -> list[list[int]]:
    """Indexes of texts to run together: few tokens in all, and of similar lengths, so that less than half of
    a batch is padding.
    """
    found: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        last = found[-1] if found else None
        if (
            last is None
            or (len(last) + 1) * lengths[index] > _BATCH_TOKENS_MAX
            or lengths[index] > 2 * lengths[last[0]]
        ):
            found.append([index])
        else:
            last.append(index)
    return found


def _is_whole(encoding: Encoding, length: int) -> bool:
    """Whether more text would change nothing: the tokens are all there, and the word of the last one ends
    before the cut.
    """
    return len(encoding.ids) == TOKENS_MAX and encoding.offsets[-2][1] + 2 * _WORD_CHARS_MAX < length


class Encoder:
    """Loaded once per process; not thread-safe."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self.dimensions = MINILM.hidden
        self._tokenizer = _open_tokenizer(folder / "tokenizer.json")
        options = _onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # The arena keeps the largest batch ever seen; a lazily started helper should give memory back
        # instead.
        options.enable_cpu_mem_arena = False
        # Its threads would go on looking for work for 25 ms after each text, on the cores that the answer now
        # needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = build_sentence_encoder(read_float32_tensors(folder / "model.safetensors"), MINILM)
        self._session = _onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def encode(self, texts: list[str]) -> tuple[Floats, list[int]]:
        """Unit vectors [len(texts), dimensions] in the order of `texts`, and the tokens read of each."""
        encodings = self._read(texts)
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for chosen in batches([len(encoding.ids) for encoding in encodings]):
            vectors[chosen] = self._run([encodings[index] for index in chosen], SENTENCE)
        return vectors, [len(encoding.ids) for encoding in encodings]

    def encode_tokens(self, texts: list[str]) -> list[Floats]:
        """Of each text the unit vectors [tokens, dimensions] of what was read of it, its begin and end
        markers included.
        """
        encodings = self._read(texts)
        found: dict[int, Floats] = {}
        for chosen in batches([len(encoding.ids) for encoding in encodings]):
            rows = self._run([encodings[index] for index in chosen], TOKENS)
            for row, index in zip(rows, chosen, strict=True):
                read = row[: len(encodings[index].ids)]
                found[index] = read / np.linalg.norm(read, axis=1, keepdims=True)
        return [found[index] for index in range(len(texts))]

    def _read(self, texts: list[str]) -> list[Encoding]:
        """What the model is given of each text, as if all of it had been read."""
        found = self._tokenizer.encode_batch([text[:_HEAD_CHARS] for text in texts])
        for index, text in enumerate(texts):
            length = _HEAD_CHARS
            while length < len(text) and not _is_whole(found[index], length):
                length *= _HEAD_GROWS
                found[index] = self._tokenizer.encode(text[:length])
        return found

    def _run(self, encodings: list[Encoding], output: str) -> Floats:
        length = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), length), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        return cast("Floats", self._session.run([output], {"input_ids": ids, "attention_mask": mask})[0])
