"""The computation of all-MiniLM-L6-v2 as an ONNX graph, made from its weights.

A BERT encoder of 6 layers, 12 heads and width 384 (Devlin et al. 2018, section 3.1; Wang et al. 2020), the mean of
its output over a text's tokens, and L2 normalisation, as the model card says (sentence-transformers/all-MiniLM-L6-v2).
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

WIDTH: Final = 384
_LAYERS: Final = 6
_HEADS: Final = 12
_EPSILON: Final = 1e-12
_OPSET: Final = 20  # the first with Gelu
_IR_VERSION: Final = 9
_FAR_BELOW: Final = -1e9
"""Added to the score of padding before the softmax, which makes its share 0."""
_INLINE_BYTES: Final = 1_024


class MiniLmGraph:
    """The graph under construction: inputs `ids` and `mask` of shape (texts, tokens), output `vectors` (texts, 384).

    Tensors of any size are left out of the model and kept in `outside`, so that they are never copied into it.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self.outside: dict[str, NDArray[np.float32]] = {}

    def build(self) -> bytes:
        """The serialised model, a few hundred KB, whose large tensors are in `outside` by name."""
        mask = self._add("Cast", "mask", to=TensorProto.FLOAT)
        hidden = self._embeddings()
        padding = self._padding(mask)
        for number in range(_LAYERS):
            hidden = self._layer(f"encoder.layer.{number}", hidden, padding)
        self._normalised_mean(hidden, mask)
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"]) for name in ("ids", "mask")],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", WIDTH])],
            list(self._constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        return model.SerializeToString()

    def _embeddings(self) -> str:
        """Word + position + the one token type there is, normalised."""
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "ids")
        positions = self._large(
            "positions",
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0],
        )
        tokens = self._add("Gather", self._add("Shape", "ids"), self._integers("second", [1]))
        first_positions = self._add(
            "Slice", positions, self._integers("zero", [0]), tokens, self._integers("zero", [0])
        )
        return self._layer_norm("embeddings.LayerNorm", self._add("Add", words, first_positions))

    def _padding(self, mask: str) -> str:
        """0 for a token and far below it for padding, shaped (texts, 1, 1, tokens) for the scores of attention."""
        absent = self._add("Sub", self._number("one", 1.0), mask)
        scores = self._add("Mul", absent, self._number("far_below", _FAR_BELOW))
        return self._add("Unsqueeze", scores, self._integers("heads_and_queries", [1, 2]))

    def _layer(self, name: str, hidden: str, padding: str) -> str:
        attended = self._linear(f"{name}.attention.output.dense", self._attention(f"{name}.attention", hidden, padding))
        hidden = self._layer_norm(f"{name}.attention.output.LayerNorm", self._add("Add", attended, hidden))
        inner = self._add("Gelu", self._linear(f"{name}.intermediate.dense", hidden))
        return self._layer_norm(
            f"{name}.output.LayerNorm", self._add("Add", self._linear(f"{name}.output.dense", inner), hidden)
        )

    def _attention(self, name: str, hidden: str, padding: str) -> str:
        """Scaled dot-product attention of all heads."""
        query, key, value = (
            self._heads(self._linear(f"{name}.self.{part}", hidden), order)
            for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scale = self._number("scale", 1 / math.sqrt(WIDTH / _HEADS))
        scores = self._add("Add", self._add("Mul", self._add("MatMul", query, key), scale), padding)
        mixed = self._add("MatMul", self._add("Softmax", scores, axis=-1), value)
        together = self._add("Transpose", mixed, perm=[0, 2, 1, 3])
        return self._add("Reshape", together, self._integers("joined", [0, 0, WIDTH]))

    def _heads(self, projected: str, order: list[int]) -> str:
        split = self._add("Reshape", projected, self._integers("split", [0, 0, _HEADS, WIDTH // _HEADS]))
        return self._add("Transpose", split, perm=order)

    def _normalised_mean(self, hidden: str, mask: str) -> None:
        """The mean over tokens that are no padding, of length 1."""
        weight = self._add("Unsqueeze", mask, self._integers("last", [2]))
        tokens = self._integers("tokens_axis", [1])
        total = self._add("ReduceSum", self._add("Mul", hidden, weight), tokens, keepdims=0)
        mean = self._add("Div", total, self._add("ReduceSum", weight, tokens, keepdims=0))
        length = self._add("ReduceL2", mean, tokens, keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, length], ["vectors"]))

    def _linear(self, name: str, hidden: str) -> str:
        """Hidden times the transposed weight, as PyTorch stores it, plus the bias."""
        transposed = self._large(f"{name}.transposed", np.ascontiguousarray(self._weights[f"{name}.weight"].T))
        return self._add("Add", self._add("MatMul", hidden, transposed), self._weight(f"{name}.bias"))

    def _layer_norm(self, name: str, hidden: str) -> str:
        scale, shift = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._add("LayerNormalization", hidden, scale, shift, axis=-1, epsilon=_EPSILON)

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _weight(self, name: str) -> str:
        return self._large(name, self._weights[name])

    def _large(self, name: str, values: NDArray[np.float32]) -> str:
        if values.nbytes <= _INLINE_BYTES:
            return self._constant(name, values)
        self.outside[name] = values
        self._constants[name] = onnx.TensorProto(
            name=name,
            dims=values.shape,
            data_type=TensorProto.FLOAT,
            data_location=TensorProto.EXTERNAL,
            external_data=[onnx.StringStringEntryProto(key="location", value="outside")],
        )
        return name

    def _number(self, name: str, value: float) -> str:
        return self._constant(name, np.array(value, np.float32))

    def _integers(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.array(values, np.int64))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._constants[name] = numpy_helper.from_array(values, name)
        return name
