"""all-MiniLM-L6-v2 in this process, on ONNX Runtime; needs the extra `local-embeddings`."""

import json
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tenantscope_core.embeddings.minilm_files import find_files
from tenantscope_core.embeddings.minilm_graph import MiniLmGraph

MAX_TOKENS = 256
_MAX_CHARS = 16_384
"""What is tokenised of a text: many times what 256 tokens can hold, so that no text holds a thread for long."""


class MiniLm:
    """The loaded model: about 280 MB of memory for the process, half of it mapped from the file."""

    def __init__(self, threads: int) -> None:
        files = find_files()
        self._tokenizer: Any = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._session = _session(_mapped(files.weights), threads)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text's tokens, [CLS] and [SEP] among them; what goes beyond 256 is left out."""
        return [one.ids for one in self._tokenizer.encode_batch_fast([text[:_MAX_CHARS] for text in texts])]

    def run(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """L2-normalised vectors of texts given as tokens."""
        shape = len(ids), max(map(len, ids))
        padded, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, own in enumerate(ids):
            padded[row, : len(own)] = own
            mask[row, : len(own)] = 1
        return self._session.run(["vectors"], {"ids": padded, "mask": mask})[0].tolist()


def _mapped(path: Path) -> Mapping[str, NDArray[np.float32]]:
    """The tensors of a safetensors file, mapped and not read: a length, a header in JSON, then the values."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:start])
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            first, end = entry["data_offsets"]
            values = np.frombuffer(content, np.float32, count=(end - first) // 4, offset=start + first)
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def _session(weights: Mapping[str, NDArray[np.float32]], threads: int) -> Any:
    runtime: Any = onnxruntime
    graph = MiniLmGraph(weights)
    model = graph.build()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads burn no CPU
    values = [runtime.OrtValue.ortvalue_from_numpy(tensor) for tensor in graph.outside.values()]
    options.add_external_initializers(list(graph.outside), values)
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
