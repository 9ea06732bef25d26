"""From settings to an embedder: what is wrong is said before anything starts, and nothing is loaded before its time."""

import subprocess
import sys
from typing import Any

import pytest
from catalogue import ROOT
from core.embeddings.chosen import settings
from core.embeddings.nobody import Nobody
from tenantscope_core.embeddings import open_embedder
from tenantscope_core.embeddings.bedrock import BedrockEmbedder
from tenantscope_core.embeddings.local import LocalEmbedder
from tenantscope_core.serving.settings import WrongSettings

HEAVY = ("numpy", "onnx", "onnxruntime", "tokenizers", "valkey", "psycopg")


@pytest.mark.parametrize(
    ("changes", "kind", "tag"),
    [
        ({}, BedrockEmbedder, "amazon.titan-embed-text-v2-0.fp32.1024"),
        ({"EMBEDDING_DIMENSIONS": "256"}, BedrockEmbedder, "amazon.titan-embed-text-v2-0.fp32.256"),
        ({"EMBEDDER": "bedrock:eu.cohere.embed-v4:0"}, BedrockEmbedder, "cohere.embed-v4-0.fp32.1024"),
        ({"EMBEDDER": "local", "EMBEDDING_THREADS": "2"}, LocalEmbedder, "all-minilm-l6-v2.53aa5117.fp32.mean.384"),
    ],
)
async def test_the_embedder_is_the_one_that_the_settings_name(changes: dict[str, str], kind: type[Any], tag: str):
    async with open_embedder(settings(**changes)) as embedder:
        assert isinstance(embedder, kind)
        assert embedder.tag == tag
        assert await embedder.embed(Nobody(), [], purpose="query") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"EMBEDDER": "bedrock:amazon.titan-embed-text-v1"}, "TENANTSCOPE_EMBEDDER is no embedding model .* known"),
        ({"EMBEDDER": "minilm"}, "TENANTSCOPE_EMBEDDER"),
        ({"EMBEDDING_DIMENSIONS": "384"}, "TENANTSCOPE_EMBEDDING_DIMENSIONS has to be one of 1024, 512, 256"),
        ({"EMBEDDER": "local", "EMBEDDING_DIMENSIONS": "256"}, "does not go with TENANTSCOPE_EMBEDDER=local"),
    ],
)
def test_a_setting_that_cannot_be_is_said_before_anything_starts(changes: dict[str, str], words: str):
    with pytest.raises(WrongSettings, match=words):
        settings(**changes)


def test_opening_loads_nothing_that_is_heavy():
    code = f"""
import sys, anyio
from core.embeddings.chosen import settings
from tenantscope_core.embeddings import CachedEmbedder, open_embedder

async def use(**changes):
    async with open_embedder(settings(**changes)) as embedder:
        CachedEmbedder(embedder, None, expire_seconds=60)

anyio.run(lambda: use(EMBEDDER="local"))
anyio.run(use)
print(*set(sys.modules) & set({HEAVY!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT / "tests", check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
