"""Starting the server takes what every call needs, and no more."""

import subprocess
import sys

FOR_SOME_CALLS = ("psycopg", "psycopg_pool", "valkey", "jsonschema", "yaml", "boto3", "duckdb")


def test_a_server_that_starts_imports_no_library_that_only_some_calls_or_jobs_need():
    code = "import sys, tenantscope_tenant_management.server; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert set(FOR_SOME_CALLS) & set(done.stdout.split()) == set()
