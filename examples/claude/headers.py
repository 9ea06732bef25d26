#!/usr/bin/env python3
"""Prints the headers of a request as JSON, for Claude Code's headersHelper, with the token of the moment.

The token comes from where a server on stdio would take it: TENANTSCOPE_TOKEN_COMMAND, TENANTSCOPE_TOKEN_FILE or
TENANTSCOPE_TOKEN. Needs nothing but Python.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

TIMEOUT_SECONDS = 8  # Claude Code gives a helper ten


def token() -> str:
    """The token as it stands now."""
    if command := os.environ.get("TENANTSCOPE_TOKEN_COMMAND"):
        run = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_SECONDS)
        if run.returncode:
            sys.exit(f"the token command failed with exit code {run.returncode}")
        return run.stdout.strip()
    if path := os.environ.get("TENANTSCOPE_TOKEN_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get("TENANTSCOPE_TOKEN", "").strip()


if __name__ == "__main__":
    found = token()
    if not found:
        sys.exit("set TENANTSCOPE_TOKEN_COMMAND, TENANTSCOPE_TOKEN_FILE or TENANTSCOPE_TOKEN")
    print(json.dumps({"Authorization": f"Bearer {found}"}))
