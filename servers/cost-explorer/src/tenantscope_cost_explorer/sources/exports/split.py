"""Split cost allocation data of CUR 2.0: tasks and pods take their part of the instance that they ran on.

AWS adds a row for every ECS task, Batch job and pod on EC2, whose cost is `split_line_item_split_cost` plus the unused
capacity that it is given, `split_line_item_unused_cost` ("Understanding split cost allocation data" of the Data
Exports guide). These rows come beside that of the instance, which has the whole cost. Here the instance's rows of the
same time, account, invoice and currency are made less by exactly what its parts take, so that nothing counts twice:

- In EffectiveCost a part takes what AWS says. If the parts of an instance say more than it costs, they are scaled down
  to that; a part whose instance is not in the bill takes nothing.
- In BilledCost (and ListCost) it takes the same fraction of the instance's.
- Several rows of one instance (partly covered by a commitment) each give in proportion to what they cost.

A part has the resource, tags and principal of its own, and the service, category and so on of what it is a part of, as
FOCUS demands of allocated charges.
"""

OWN_COLUMNS = "parent, share, share_read, starts, gives"
_KEY = ("instance", "starts", "account", "invoice", "currency")
_FROM_PARENT = (
    "service", "charge_category", "charge_class", "region", "commitment_status", "commitment", "charge_frequency",
    "pricing_category",
)  # fmt: skip
_MONEY = ("effective", "billed", "listed")
_EXACT = "DECIMAL(38,12)"
_THEIRS = ", ".join(f"them.{name}" for name in _KEY)
_SAME = " AND ".join(f"them.{name} IS NOT DISTINCT FROM pool.{name}" for name in _KEY)
_PARTS = "parent IS NOT NULL"
_WHOLES = "parent IS NULL AND instance IS NOT NULL"


def split_tables(rows: str) -> dict[str, str]:
    """What instances have and what their parts take of it, by instance and time: made once, since all rows ask for it.

    `rows` is the SQL of rows that have `OWN_COLUMNS`.
    """
    key = ", ".join(_KEY)
    inherited = ", ".join(f"max({name}) AS {name}" for name in _FROM_PARENT)
    held = ", ".join(f"sum({name}) AS {name}" for name in _MONEY)
    given = ", ".join(f"sum({name}_part) AS {name}" for name in _MONEY)
    return {
        "split_pools": f"""
SELECT * FROM (SELECT {key}, {held}, {inherited} FROM ({_lines(rows)}) WHERE {_WHOLES} GROUP BY ALL)
JOIN (SELECT {key}, sum(share) AS asked FROM ({_lines(rows)}) WHERE {_PARTS} GROUP BY ALL HAVING asked > 0)
USING ({key})""",
        "split_given": f"SELECT {key}, {given} FROM ({_children(rows)}) GROUP BY ALL",
    }


def with_splits(rows: str) -> str:
    """SQL of all charges, each part taken from what it is a part of; reads the tables of `split_tables`."""
    own = f"{OWN_COLUMNS}, instance, account"
    part_columns = ", ".join(f"{name}_part" for name in _MONEY)
    pool_columns = ", ".join(f"pool_{name}" for name in _FROM_PARENT)
    money, from_parent = ", ".join(_MONEY), ", ".join(_FROM_PARENT)
    lessened = ", ".join(
        f"CAST({name} - {name}_part - CASE turn WHEN 1 THEN {name}_all - {name}_parts ELSE 0 END AS {_EXACT}) AS {name}"
        for name in _MONEY
    )
    added = ", ".join(f"coalesce({name}, 0) + {name}_part AS {name}" for name in ("effective", "billed"))
    inherited = ", ".join(f"coalesce(pool_{name}, {name}) AS {name}" for name in _FROM_PARENT)
    return f"""
SELECT * EXCLUDE ({own}) FROM ({_lines(rows)}) WHERE instance IS NULL
UNION ALL BY NAME
SELECT them.* EXCLUDE ({own}) FROM ({_lines(rows)}) AS them ANTI JOIN split_given AS pool ON {_SAME} WHERE {_WHOLES}
UNION ALL BY NAME
SELECT * EXCLUDE ({own}, turn, {part_columns}, {", ".join(f"{name}_all, {name}_parts" for name in _MONEY)}, {money}),
  {lessened}
FROM ({_parents(rows)})
UNION ALL BY NAME
SELECT * EXCLUDE ({own}, {part_columns}, {pool_columns}, {money}, {from_parent}),
  {added}, listed_part AS listed, {inherited}
FROM ({_children(rows)})"""


def _lines(rows: str) -> str:
    """Rows with the instance that they are of, or a part of."""
    return f"""
  SELECT * REPLACE (greatest(share, 0) AS share), coalesce(sub_account, '') AS account,
    coalesce(parent, CASE WHEN gives AND effective > 0 THEN split_part(resource, '/', -1) END) AS instance
  FROM ({rows})"""


def _children(rows: str) -> str:
    """Parts, with what each takes."""
    pool = ", ".join(f"pool.{name} AS pool_{name}" for name in _FROM_PARENT)
    taken = ", ".join(f"{_taken(name)} AS {name}_part" for name in _MONEY)
    return f"""
  SELECT them.*, {pool}, {taken}
  FROM ({_lines(rows)}) AS them LEFT JOIN split_pools AS pool ON {_SAME} WHERE them.{_PARTS}"""


def _taken(name: str) -> str:
    """What a part takes of one cost of its pool: as AWS says where the pool holds it, else in proportion."""
    fraction = "CAST(them.share AS DOUBLE) / CAST(greatest(pool.asked, pool.effective) AS DOUBLE)"
    part = f"CAST(coalesce(CAST(pool.{name} AS DOUBLE) * {fraction}, 0) AS {_EXACT})"
    if name == "effective":
        return f"CASE WHEN pool.asked <= pool.effective THEN CAST(coalesce(them.share, 0) AS {_EXACT}) ELSE {part} END"
    return part


def _parents(rows: str) -> str:
    """The rows of instances that have parts, with what each gives, rounded; the first of them makes up for that."""
    key = ", ".join(_KEY)
    weighed = f"""
    SELECT *, CAST(effective AS DOUBLE) / CAST(sum(effective) OVER (PARTITION BY {key}) AS DOUBLE) AS weight,
      row_number() OVER (PARTITION BY {key} ORDER BY effective DESC) AS turn
    FROM ({_lines(rows)}) WHERE {_WHOLES}"""
    rounded = ", ".join(
        f"CAST(CAST(pool.{name} AS DOUBLE) * weight AS {_EXACT}) AS {name}_part, pool.{name} AS {name}_all,"
        f" sum({name}_part) OVER (PARTITION BY {_THEIRS}) AS {name}_parts"
        for name in _MONEY
    )
    return f"""
  SELECT them.* EXCLUDE (weight), {rounded}
  FROM ({weighed}) AS them JOIN split_given AS pool ON {_SAME}"""
