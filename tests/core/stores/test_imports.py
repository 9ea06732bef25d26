"""A server pays only for the stores it uses."""

import subprocess
import sys

import pytest

HEAVY = ("psycopg", "psycopg_pool", "valkey", "duckdb", "pyarrow", "pandas")


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("sql", ()),
        ("dataset_writer", ()),
        ("departures", ()),
        ("object_cache", ()),
        ("athena_engine", ()),
        ("duckdb_engine", ()),  # at the first query
        ("postgres", ("psycopg", "psycopg_pool")),
        ("vectors", ("psycopg", "psycopg_pool")),
        ("valkey", ("valkey",)),
    ],
)
def test_a_store_s_module_imports_no_other_store_s_library(module: str, allowed: tuple[str, ...]):
    code = f"import sys, tenantscope_core.stores.{module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert set(HEAVY) & set(done.stdout.split()) == set(allowed)
