"""Runs recorded statements on DataFusion, in an environment of its own: cases as JSON on stdin, rows on stdout.

A case has `sql` and `files`, the Parquet files by the name that the statement gives them. The three dialect differences
that the statements meet stand in `in_its_dialect`.
"""

import importlib
import json
import re
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

datafusion: Any = importlib.import_module("datafusion")


def rows_of(case: dict[str, Any]) -> list[list[Any]]:
    """What DataFusion answers, each value with its type."""
    # A rule of its optimiser fails on two columns of one name, and the query runs as well without it.
    config = datafusion.SessionConfig().set("datafusion.optimizer.skip_failed_rules", "true")
    context = datafusion.SessionContext(config)
    for name, path in case["files"].items():
        context.register_parquet(name, path)
    table = context.sql(in_its_dialect(case["sql"])).to_arrow_table()
    names = [f"c{number}" for number in range(table.num_columns)]
    return [[tagged(row[name]) for name in names] for row in table.rename_columns(names).to_pylist()]


def in_its_dialect(sql: str) -> str:
    """The statement with what DataFusion spells differently: max_by, date_diff of days, count_if."""
    sql = replaced(sql, "max_by", lambda parts: f"last_value({parts[0]} ORDER BY {parts[1]} NULLS FIRST)")
    sql = replaced(sql, "date_diff", lambda parts: f"(CAST({parts[2]} AS DATE) - CAST({parts[1]} AS DATE))")
    return replaced(sql, "count_if", lambda parts: f"count(CASE WHEN {parts[0]} THEN 1 END)")


def replaced(sql: str, function: str, write: Callable[[list[str]], str]) -> str:
    """The text with each call of a function written anew from its arguments, the innermost call first."""
    while calls := list(re.finditer(rf"\b{function}\(", sql)):
        call = calls[-1]
        parts, end = arguments_of(sql, call.end())
        sql = sql[: call.start()] + write(parts) + sql[end:]
    return sql


def arguments_of(sql: str, start: int) -> tuple[list[str], int]:
    """The arguments that begin here, and where what follows the call does."""
    parts, depth, quote, begin = list[str](), 0, "", start
    for place in range(start, len(sql)):
        letter = sql[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "(":
            depth += 1
        elif letter == ")" and not depth:
            return [*parts, sql[begin:place].strip()], place + 1
        elif letter == ")":
            depth -= 1
        elif letter == "," and not depth:
            parts.append(sql[begin:place].strip())
            begin = place + 1
    raise ValueError("a call does not end")


def tagged(value: Any) -> Any:
    """A value as JSON holds it without losing its type."""
    match value:
        case bool() | None:
            return value
        case Decimal():
            return {"decimal": format(value, "f")}
        case int():
            return {"int": str(value)}
        case float():
            return {"float": value.hex()}
        case datetime():
            return {"timestamp": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case _:
            return {"text": str(value)}


def main() -> None:
    """One answer for each case, in order; what fails says why in its place."""
    answers: list[dict[str, Any]] = []
    for case in json.load(sys.stdin):
        try:
            answers.append({"rows": rows_of(case)})
        except Exception as error:
            answers.append({"error": f"{type(error).__name__}: {error}"[:600]})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
