"""Shared cost between DuckDB and numpy: pools and weights out, every tenant's part back in, some shares at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from tenantscope_cost_explorer.allocation.gathering import (
    ALLOCATED,
    AMOUNTS,
    IN_ORDER,
    NOBODY,
    cost_weights,
    money,
    pools_of,
    weigh,
    windows,
)
from tenantscope_cost_explorer.allocation.report import SUMS
from tenantscope_cost_explorer.allocation.rules import RuleSet
from tenantscope_cost_explorer.allocation.sharing import EFFECTIVE_COST, WHOLE, FeatureWeights, Key, Pool, Share, shares
from tenantscope_cost_explorer.allocation.split import Window, split

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

BLOCK_ROWS = 500_000
"""How many rows are handed over at once."""
_RATIO = f"""CASE ratio WHEN {WHOLE} THEN '1' WHEN 0 THEN '0'
  ELSE '0.' || rtrim(lpad(CAST(ratio AS VARCHAR), 18, '0'), '0') END"""
_USED = "CAST(quantity AS DOUBLE) / power(10, scale)"
_TOLD = f"""
INSERT INTO details
SELECT block.told, block.tenant, '{{"Elements":[{{"AllocatedRatio":' || {_RATIO}
  || coalesce(',"UsageUnit":' || to_json(unit) || ',"UsageQuantity":' || {_USED}, '') || '}}]}}' AS text
FROM block JOIN groups USING (told)
LEFT JOIN weighed ON weighed."window" = groups."window" AND weighed.tenant = block.tenant"""
_PARTS = f"""
INSERT INTO entries
SELECT tenant, cell,
  {", ".join(money(f"{one}_sign * ({one}_times * weight + block.{one})") for one in AMOUNTS)}
FROM block JOIN pieces USING (cell)"""
_CELLS = """
INSERT INTO cells
SELECT cells.* REPLACE (
    pieces.cell AS cell, coalesce(pieces.feature, cells.feature) AS feature, pieces.method AS method,
    pieces.method_id AS method_id, pieces.told AS told
  )
FROM pieces JOIN cells ON cells.cell = origin"""


def apportion(connection: "duckdb.DuckDBPyConnection", rules: RuleSet, month: date) -> None:
    """Share what was gathered of a month; leaves `allocated`, and its `sums` by rule and invoice."""
    for step in weigh(rules, month):
        connection.execute(step.sql)
    Shares(connection, rules, month).share()
    for statement in (IN_ORDER, ALLOCATED, SUMS):
        connection.execute(statement)


@dataclass(slots=True)
class _Block:
    """Columns that are filled piece by piece."""

    columns: dict[str, "list[NDArray[Any]]"] = field(default_factory=dict[str, "list[NDArray[Any]]"])
    rows: int = 0

    def add(self, **columns: "NDArray[Any]") -> None:
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values)
        self.rows += len(next(iter(columns.values())))


class Shares:
    """Shares the pools of a month; `entries`, `cells` and `details` grow by what came to tenants and what did not."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", rules: RuleSet, month: date) -> None:
        self._connection = connection
        self._rules = rules
        self._month = month
        self._cells = int(connection.execute("SELECT coalesce(max(cell), 0) FROM cells").fetchall()[0][0])
        self._told = 0
        connection.execute("CREATE OR REPLACE TABLE details(told INTEGER, tenant INTEGER, text VARCHAR)")

    def share(self) -> None:
        """By use and evenly first, then what goes by the cost that came of these."""
        self._round(f"driver <> '{EFFECTIVE_COST}'", "kind IN ('driver', 'even')")
        pools = self._connection.execute("SELECT count(*) FROM cells WHERE kind = 'proxy'").fetchall()[0][0]
        if pools:
            self._connection.execute(cost_weights(self._month))
            self._round("true", "kind = 'proxy'")

    def _round(self, drivers: str, kinds: str) -> None:
        self._connection.execute(windows(drivers))
        found = self._connection.execute(pools_of(kinds)).fetchall()
        pools = [Pool(row[0], row[1], row[2], row[3], row[4], (row[5], row[6], row[7])) for row in found]
        done = list(shares(pools, self._rules, self._month, self._windows(), self._features()))
        if done:
            told = self._tell(done)
            self._place(done, told)
            self._split(done)

    def _windows(self) -> dict[Key, Window]:
        import numpy as np

        keys = self._connection.execute("SELECT * FROM windows ORDER BY number").fetchall()
        self._connection.execute('SELECT "window", tenant, weight FROM weighed ORDER BY 1, 2')
        columns: Any = self._connection.fetchnumpy()  # pyright: ignore
        number, tenants, weights = (np.asarray(columns[name]) for name in ("window", "tenant", "weight"))
        found: dict[Key, Window] = {}
        for window, *key in keys:
            start, end = np.searchsorted(number, [window, window + 1])
            if end > start:
                own = weights[start:end]
                found[Key(*key)] = Window(window, tenants[start:end], own, int(own.sum()))
        return found

    def _features(self) -> dict[tuple[str, str, date], FeatureWeights]:
        import numpy as np

        rows = self._connection.execute(
            "SELECT driver, per, day, key, weight FROM feature_weights WHERE weight > 0 ORDER BY ALL"
        ).fetchall()
        found: dict[tuple[str, str, date], list[tuple[str, int]]] = {}
        for driver, per, day, feature, weight in rows:
            found.setdefault((driver, per, day), []).append((feature, weight))
        return {
            key: FeatureWeights([name for name, _ in pairs], np.array([weight for _, weight in pairs]), total)
            for key, pairs in found.items()
            for total in [sum(weight for _, weight in pairs)]
        }

    def _tell(self, done: Iterable[Share]) -> list[int | None]:
        """Write what AllocatedMethodDetails says, once for all shares that say the same; its number for each share."""
        groups: dict[tuple[int, str, int, int], tuple[int, Window | None]] = {}
        numbers: list[int | None] = []
        for share in done:
            if share.method_id is None:
                numbers.append(None)
                continue
            window, driver = share.window, share.driver
            key = (
                NOBODY if window is None else window.number,
                "" if driver is None else driver.unit,
                0 if driver is None else driver.scale,
                share.ratio,
            )
            numbers.append(groups.setdefault(key, (self._told + len(groups) + 1, window))[0])
        self._told += len(groups)
        self._load(
            "groups",
            told=[told for told, _ in groups.values()],
            window=[key[0] for key in groups],
            unit=[key[1] for key in groups],
            scale=[key[2] for key in groups],
        )
        self._insert(_TOLD, _told_blocks((key[3], told, window) for key, (told, window) in groups.items()))
        return numbers

    def _place(self, done: list[Share], told: list[int | None]) -> None:
        """Give each share a cell of its own."""
        columns: dict[str, list[Any]] = {
            "cell": [self._cells + number for number in range(1, len(done) + 1)],
            "origin": [share.cell for share in done],
            "feature": [share.feature for share in done],
            "method": [str(share.method) for share in done],
            "method_id": [share.method_id for share in done],
            "told": [number or NOBODY for number in told],
        }
        for place, name in enumerate(AMOUNTS):
            amounts = [share.amounts[place] for share in done]
            totals = [1 if share.window is None else share.window.total for share in done]
            columns[f"{name}_sign"] = [-1 if amount is not None and amount < 0 else 1 for amount in amounts]
            columns[f"{name}_times"] = [
                None if amount is None else str(abs(amount) // total)
                for amount, total in zip(amounts, totals, strict=True)
            ]
        self._load("pieces", **columns)
        self._connection.execute(_CELLS)

    def _split(self, done: list[Share]) -> None:
        self._insert(_PARTS, _part_blocks(enumerate(done, start=self._cells + 1)))
        self._cells += len(done)

    def _load(self, table: str, **columns: list[Any]) -> None:
        """A small table; numbers that may exceed 64 bits come as text."""
        import numpy as np

        kinds = {
            name: "HUGEINT" if name.endswith("_times") else "VARCHAR" if name in _TEXTS else "INTEGER"
            for name in columns
        }
        arrays = {
            name: np.array(values, dtype=object if kinds[name] != "INTEGER" else np.int32)
            for name, values in columns.items()
        }
        typed = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in kinds.items())
        self._connection.register("loading", arrays)
        self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT {typed} FROM loading")
        self._connection.unregister("loading")

    def _insert(self, statement: str, blocks: Iterable[_Block]) -> None:
        import numpy as np

        for block in blocks:
            self._connection.register("block", {name: np.concatenate(parts) for name, parts in block.columns.items()})
            self._connection.execute(statement)
            self._connection.unregister("block")


_TEXTS = frozenset({"feature", "method", "method_id", "unit"})


def _told_blocks(groups: Iterable[tuple[int, int, Window | None]]) -> Iterator[_Block]:
    import numpy as np

    block = _Block()
    for ratio, told, window in groups:
        if window is None:
            tenants, ratios = np.array([NOBODY], np.int32), np.array([ratio], np.int64)
        else:
            parts = split(ratio, window.weights, window.total)
            tenants, ratios = window.tenants, parts.times * window.weights + parts.rest
        block.add(told=np.full(len(tenants), told, np.int32), tenant=tenants, ratio=ratios)
        if block.rows >= BLOCK_ROWS:
            yield block
            block = _Block()
    if block.rows:
        yield block


def _part_blocks(done: Iterable[tuple[int, Share]]) -> Iterator[_Block]:
    import numpy as np

    nobody, one, nothing = np.array([NOBODY], np.int32), np.array([1], np.int64), np.array([0], np.int64)
    block = _Block()
    for cell, share in done:
        window = share.window
        if window is None:
            tenants, weights, rests = nobody, one, dict.fromkeys(AMOUNTS, nothing)
        else:
            tenants, weights = window.tenants, window.weights
            rests = {
                name: split(amount or 0, weights, window.total).rest
                for name, amount in zip(AMOUNTS, share.amounts, strict=True)
            }
        block.add(cell=np.full(len(tenants), cell, np.int32), tenant=tenants, weight=weights, **rests)
        if block.rows >= BLOCK_ROWS:
            yield block
            block = _Block()
    if block.rows:
        yield block
