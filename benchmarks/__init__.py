"""What we claim of weight and speed, measured beside the floor in one run; see README.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# What tests and documentation have written already is not written again here.
sys.path += [str(ROOT / "tests"), str(ROOT / "docs"), str(ROOT / "examples/demo")]
