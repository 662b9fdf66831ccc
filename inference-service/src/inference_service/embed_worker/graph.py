"""Builds the ONNX graph of a BERT sentence encoder (mean pooling, L2 norm) from its weights.

The architecture is the one of "Sentence-BERT" (Reimers and Gurevych, 2019) over BERT (Devlin et al., 2018),
post-norm, erf GELU.
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from inference_service.embed_worker.weights import Tensors

SENTENCE = "sentence"
TOKENS = "tokens"
_OPSET = 17
_IR_VERSION = 9
_LAYER_NORM_EPSILON = 1e-12
# Added to the scores of padding before the softmax; large enough to vanish, small enough for float32.
_MASKED = -10_000.0
# The generated onnx bindings carry no types; this is the one place they are used.
_onnx = cast("Any", helper)
_numpy_helper = cast("Any", numpy_helper)
_types = cast("Any", TensorProto)


@dataclass(frozen=True, slots=True)
class BertShape:
    """Sizes of the encoder; the head count is not in the weights."""

    layers: int
    heads: int
    hidden: int

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads


MINILM = BertShape(layers=6, heads=12, hidden=384)


class _Graph:
    """Collects nodes and initializers; every call returns the name of the value it makes."""

    def __init__(self, weights: Tensors) -> None:
        self._weights = weights
        self._added: set[str] = set()
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(_onnx.make_node(kind, list(inputs), [output], **attributes))
        return output

    def name(self, value: str, output: str) -> None:
        """Give a value the name of an output of the model."""
        self.nodes.append(_onnx.make_node("Identity", [value], [output]))

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        if name not in self._added:
            self._added.add(name)
            self.initializers.append(_numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def ints(self, *values: int) -> str:
        return self.constant("i_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def scalar(self, value: float) -> str:
        return self.constant(f"f_{value}", np.array(value, dtype=np.float32))

    def linear(self, value: str, prefix: str) -> str:
        kernel = self.constant(f"{prefix}.weight.T", self._weights[f"{prefix}.weight"].T)
        return self.op("Add", self.op("MatMul", value, kernel), self.weight(f"{prefix}.bias"))

    def layer_norm(self, value: str, prefix: str) -> str:
        scale, bias = self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")
        return self.op("LayerNormalization", value, scale, bias, axis=-1, epsilon=_LAYER_NORM_EPSILON)


def _embeddings(graph: _Graph) -> str:
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = graph.op("Gather", graph.op("Shape", "input_ids"), graph.ints(1))
    places = graph.op(
        "Slice", graph.weight("embeddings.position_embeddings.weight"), graph.ints(0), length, graph.ints(0)
    )
    # All texts are single segments: token type 0 everywhere.
    segment = graph.op(
        "Slice",
        graph.weight("embeddings.token_type_embeddings.weight"),
        graph.ints(0),
        graph.ints(1),
        graph.ints(0),
    )
    total = graph.op("Add", graph.op("Add", words, places), segment)
    return graph.layer_norm(total, "embeddings.LayerNorm")


def _split_heads(graph: _Graph, value: str, shape: BertShape) -> str:
    split = graph.op("Reshape", value, graph.ints(0, 0, shape.heads, shape.head_size))
    return graph.op("Transpose", split, perm=[0, 2, 1, 3])


def _attention(graph: _Graph, value: str, prefix: str, mask: str, shape: BertShape) -> str:
    query, key, content = (
        _split_heads(graph, graph.linear(value, f"{prefix}.self.{part}"), shape)
        for part in ("query", "key", "value")
    )
    scores = graph.op("MatMul", query, graph.op("Transpose", key, perm=[0, 1, 3, 2]))
    scaled = graph.op("Div", scores, graph.scalar(math.sqrt(shape.head_size)))
    shares = graph.op("Softmax", graph.op("Add", scaled, mask), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", shares, content), perm=[0, 2, 1, 3])
    joined = graph.op("Reshape", mixed, graph.ints(0, 0, shape.hidden))
    return graph.layer_norm(
        graph.op("Add", graph.linear(joined, f"{prefix}.output.dense"), value), f"{prefix}.output.LayerNorm"
    )


def _gelu(graph: _Graph, value: str) -> str:
    erf = graph.op("Erf", graph.op("Div", value, graph.scalar(math.sqrt(2.0))))
    return graph.op("Mul", graph.op("Mul", value, graph.scalar(0.5)), graph.op("Add", erf, graph.scalar(1.0)))


def _feed_forward(graph: _Graph, value: str, prefix: str) -> str:
    inner = _gelu(graph, graph.linear(value, f"{prefix}.intermediate.dense"))
    return graph.layer_norm(
        graph.op("Add", graph.linear(inner, f"{prefix}.output.dense"), value), f"{prefix}.output.LayerNorm"
    )


def _pooled(graph: _Graph, value: str, mask: str) -> str:
    weights = graph.op("Unsqueeze", mask, graph.ints(-1))
    total = graph.op("ReduceSum", graph.op("Mul", value, weights), graph.ints(1), keepdims=0)
    mean = graph.op("Div", total, graph.op("ReduceSum", weights, graph.ints(1), keepdims=0))
    return graph.op("LpNormalization", mean, axis=-1, p=2)


def build_sentence_encoder(weights: Tensors, shape: BertShape) -> bytes:
    """A serialised ONNX model: int64 `input_ids` and `attention_mask` [batch, length] -> `sentence`, unit
    vectors [batch, hidden].

    `tokens` [batch, length, hidden], the last layer itself, is there for those who ask for it; its rows are
    not of unit length.
    """
    graph = _Graph(weights)
    mask = graph.op("Cast", "attention_mask", to=_types.FLOAT)
    inverse = graph.op("Mul", graph.op("Sub", graph.scalar(1.0), mask), graph.scalar(_MASKED))
    bias = graph.op("Unsqueeze", inverse, graph.ints(1, 2))
    value = _embeddings(graph)
    for layer in range(shape.layers):
        value = _attention(graph, value, f"encoder.layer.{layer}.attention", bias, shape)
        value = _feed_forward(graph, value, f"encoder.layer.{layer}")
    graph.name(_pooled(graph, value, mask), SENTENCE)
    graph.name(value, TOKENS)
    ids = [
        _onnx.make_tensor_value_info(name, _types.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    sentence = _onnx.make_tensor_value_info(SENTENCE, _types.FLOAT, ["batch", shape.hidden])
    tokens = _onnx.make_tensor_value_info(TOKENS, _types.FLOAT, ["batch", "length", shape.hidden])
    body = _onnx.make_graph(graph.nodes, "sentence-encoder", ids, [sentence, tokens], graph.initializers)
    model = _onnx.make_model(body, opset_imports=[_onnx.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    return cast("bytes", model.SerializeToString())
