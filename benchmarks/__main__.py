"""`python -m benchmarks`: everything, or the measurements that are named."""

import argparse
import sys
import traceback

from benchmarks.figures import Figure, Measurement, say, table
from benchmarks.parts import cleanup

# Each names a module of this package; a line here is all that a new one needs.
MEASUREMENTS = (
    Measurement("start", "start and memory, beside a bare server and beside peers"),
    Measurement("size", "what an installation takes"),
    Measurement("catalogues", "what a model reads"),
    Measurement("warm", "an authorised call beside a bare one, and what it asks of STS"),
    Measurement("burst", "twenty new tenants at once"),
    Measurement("tenants", "thousands of tenants in one process"),
    Measurement("isolation", "clients for each tenant beside ours"),
    Measurement("roundtrips", "round trips to PostgreSQL"),
    Measurement("embeddings", "the local embedder in a process of its own"),
    Measurement("recall", "memory searched over many tenants"),
    Measurement("registry", "finding tenants among a hundred thousand"),
    Measurement("rating", "ten thousand tenant-months rated by a price book"),
    Measurement("hits", "hits of the answer cache beside a round trip"),
    Measurement("access_log", "feature use counted from the access log beside a plain scan"),
    Measurement("rollup", "the allocation of twelve months beside a plain scan"),
    Measurement("forecast", "forecasts of real monthly series beside statsforecast's models"),
    Measurement("allocation", "a large bill's allocation to ten thousand tenants beside a plain scan"),
)


def main() -> int:
    """Measure, and print one table; 1 where something could not be measured, never for a missed goal."""
    names = [one.name for one in MEASUREMENTS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(names)}; all by default")
    wanted: list[str] = parser.parse_args().names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    figures: list[Figure] = []
    code = 0
    with cleanup:
        for one in MEASUREMENTS:
            if not wanted or one.name in wanted:
                say(f"{one.name}: {one.about}")
                try:
                    figures += one.run()
                except Exception as error:  # one that fails must not take the others' figures along
                    traceback.print_exc()
                    figures.append(Figure(f"{one.name}: {one.about}", f"not measured: {type(error).__name__}"))
                    code = 1
    print(table(figures))
    return code


if __name__ == "__main__":
    sys.exit(main())
