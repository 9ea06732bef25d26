"""Run by a Python that has focus-data-toolkit: what it finds wrong in a CSV file of Cost and Usage rows, as JSON."""
# pyright: basic, reportMissingImports=false

import csv
import json
import sys
from decimal import Decimal
from pathlib import Path

from focus_data_toolkit.model.json_schema_check import check_against_official_schema
from focus_data_toolkit.schema.detection import detect_focus_schema
from focus_data_toolkit.validate.allocation import validate_split_allocation

with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
found = [one.message for one in validate_split_allocation(rows, ratio_tolerance=Decimal(0), cost_tolerance=Decimal(0))]
for row in rows:
    if row["AllocatedMethodDetails"]:
        told = json.loads(row["AllocatedMethodDetails"])
        found += check_against_official_schema("AllocatedMethodDetails", told)
schema = detect_focus_schema(rows[0], version="1.3")
json.dump({"rows": len(rows), "found": found, "unknown": schema.unknown_columns, "dataset": schema.dataset}, sys.stdout)
