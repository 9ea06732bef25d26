"""The whole story, as the first command of the README tells it: its figures against the truth they came from."""

import os
import subprocess
import sys
from pathlib import Path

from tenantscope_sandbox import Sandbox

REPOSITORY = Path(__file__).parents[2]


def test_the_demos_session_ends_with_every_figure_equal_to_the_truth(sandbox: Sandbox):
    environment = {**os.environ, "TENANTSCOPE_SANDBOX_DIR": str(sandbox.state.root)}
    done = subprocess.run(
        [sys.executable, "examples/demo/session.py"],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        "40 tenants", "difference 0.00", "our layer refuses: invalid_argument", "AWS refuses: AccessDenied",
        "sunset-voyages: requests fell", "from the cache, similarity", "not served: miss",
        "preference: The family avoids", "nothing: acme's answers are acme's",
        "Active: every server lets it in", "too much of users: 3 used, 2 allowed", "because a payment is overdue",
        "Reading every store back", "by their administrators: nothing is there", "is not given again",
    ):  # fmt: skip
        assert told in done.stdout
    assert "Every figure above equals the truth" in done.stdout
    assert sandbox.is_running("aws"), "a sandbox that ran before is left running"
