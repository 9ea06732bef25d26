"""`python -m benchmarks`: everything, or the measurements that are named."""

import argparse

from benchmarks import burst, catalogues, embeddings, isolation, rollup, roundtrips, size, start, tenants, warm
from benchmarks.figures import Figure, Measurement, say, table
from benchmarks.parts import cleanup

MEASUREMENTS = (
    Measurement("start", "a server's start and memory beside a bare one", start.measure),
    Measurement("size", "what a server's installation takes", size.measure),
    Measurement("catalogues", "what a model reads", catalogues.measure),
    Measurement("warm", "an authorised call beside a bare one, and what it asks of STS", warm.measure),
    Measurement("burst", "twenty new tenants at once", burst.measure),
    Measurement("tenants", "thousands of tenants in one process", tenants.measure),
    Measurement("isolation", "clients for each tenant beside ours", isolation.measure),
    Measurement("roundtrips", "round trips to PostgreSQL", roundtrips.measure),
    Measurement("embeddings", "the local embedder in a process of its own", embeddings.measure),
    Measurement("rollup", "the allocation of twelve months beside a plain scan", rollup.measure),
)


def main() -> None:
    """Measure, and print one table."""
    names = [one.name for one in MEASUREMENTS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(names)}; all by default")
    wanted: list[str] = parser.parse_args().names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    figures: list[Figure] = []
    with cleanup:
        for one in MEASUREMENTS:
            if not wanted or one.name in wanted:
                say(f"{one.name}: {one.about}")
                figures += one.run()
    print(table(figures))


if __name__ == "__main__":
    main()
