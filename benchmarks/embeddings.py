"""The local embedder in a process of its own: how soon, how fast, how much memory."""

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.figures import Figure

_CODE = """
import json, resource, statistics, time
import anyio
from tenantscope_core.embeddings.local import LocalEmbedder

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

async def measure():
    embedder, found = LocalEmbedder(), {"before": megabytes()}
    async def timed(texts, clock=time.process_time):
        start = clock()
        await embedder.embed(None, texts, purpose="document")
        return clock() - start
    question = "How do I reset my password?"
    found["first"] = await timed([question], time.perf_counter)
    found["after"] = megabytes()
    found["query"] = statistics.median([await timed([question]) for _ in range(200)])
    found["short"] = 32 / statistics.median([await timed([f"{question} {n}" for n in range(32)]) for _ in range(20)])
    found["long"] = 8 / statistics.median([await timed(["word " * 254] * 8) for _ in range(5)])
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps(found))

anyio.run(measure)
"""


def measure() -> Iterator[Figure]:
    """Embed on one thread, as a server does by default."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    yield Figure("local embedder: first text, loading included", f"{found['first'] * 1_000:.0f} ms")
    yield Figure("local embedder: a short query, median", f"{found['query'] * 1_000:.1f} ms CPU")
    yield Figure("local embedder: short texts, 32 at a time", f"{found['short']:.0f} per s of CPU")
    yield Figure("local embedder: texts of 256 tokens", f"{found['long']:.0f} per s of CPU")
    yield Figure(
        "local embedder: memory after the first text", f"{found['after']:.0f} MB", f"{found['before']:.0f} MB before"
    )
    yield Figure("local embedder: memory at its peak, long texts included", f"{found['peak']:.0f} MB")
