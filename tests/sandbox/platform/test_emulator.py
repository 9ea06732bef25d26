"""The emulator knows which MiniStack it was written for."""

import os
import subprocess

from tenantscope_sandbox.parts import aws

ANOTHER = """
import importlib.metadata
importlib.metadata.version = lambda name: "9.9.9"
from taught_aws.__main__ import main
main()
"""


def test_another_version_of_ministack_is_refused_in_one_sentence():
    python = aws.environment(print) / "bin/python"
    command = [python, "-c", ANOTHER, "--port", "1", "--log", os.devnull]
    done = subprocess.run(command, cwd=aws.EMULATOR, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert done.stderr.strip().count("\n") == 0
    assert "refuses to run on 9.9.9" in done.stderr


def test_the_lock_file_names_no_host_and_hashes_every_package():
    lock = (aws.EMULATOR / "requirements.lock").read_text()
    assert "http" not in lock.replace("httpx", "")
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert pinned
    assert all(line.endswith("\\") for line in pinned), "a pinned package without a hash"
