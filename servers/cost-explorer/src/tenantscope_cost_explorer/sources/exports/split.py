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
_KEY = ("starts", "account", "invoice", "currency")
_FROM_PARENT = (
    "service", "charge_category", "charge_class", "region", "commitment_status", "commitment", "charge_frequency",
    "pricing_category",
)  # fmt: skip
_MONEY = ("effective", "billed", "listed")
_EXACT = "DECIMAL(38,12)"


def with_splits(rows: str) -> str:
    """SQL of all charges from rows that have `OWN_COLUMNS`, each part taken from what it is a part of."""
    key = ", ".join(_KEY)
    theirs = ", ".join(f"them.{name}" for name in ("instance", *_KEY))
    same = " AND ".join(f"them.{name} IS NOT DISTINCT FROM pool.{name}" for name in ("instance", *_KEY))
    inherited = ", ".join(f"max({name}) AS {name}" for name in _FROM_PARENT)
    taken = ", ".join(f"{_taken(name)} AS {name}_part" for name in _MONEY)
    given = ", ".join(f"sum({name}_part) AS {name}" for name in _MONEY)
    parts = ", ".join(f"coalesce(them.{name}, 0) + {name}_part AS {name}" for name in ("effective", "billed"))
    from_pool = ", ".join(f"coalesce(pool_{name}, them.{name}) AS {name}" for name in _FROM_PARENT)
    lessened = ", ".join(
        f"CAST(them.{name} - {name}_part - CASE WHEN turn = 1 THEN pool_{name} - sum({name}_part) OVER same ELSE 0 END"
        f" AS {_EXACT}) AS {name}"
        for name in _MONEY
    )
    rounded = ", ".join(
        f"CAST(CAST(pool.{name} AS DOUBLE) * them.weight AS {_EXACT}) AS {name}_part, pool.{name} AS pool_{name}"
        for name in _MONEY
    )
    own = f"EXCLUDE ({OWN_COLUMNS}, instance, account)"
    return f"""
WITH lines AS NOT MATERIALIZED (
  SELECT *, coalesce(sub_account, '') AS account,
    coalesce(parent, CASE WHEN gives AND effective > 0 THEN split_part(resource, '/', -1) END) AS instance
  FROM ({rows})
),
asked AS (
  SELECT instance, {key}, sum(share) AS asked FROM lines WHERE parent IS NOT NULL AND share > 0 GROUP BY ALL
),
held AS (
  SELECT instance, {key}, sum(effective) AS effective, sum(billed) AS billed, sum(listed) AS listed, {inherited}
  FROM lines WHERE parent IS NULL AND instance IS NOT NULL GROUP BY ALL
),
pools AS MATERIALIZED (SELECT held.*, asked FROM held JOIN asked USING (instance, {key})),
children AS NOT MATERIALIZED (
  SELECT them.*, {", ".join(f"pool.{name} AS pool_{name}" for name in _FROM_PARENT)}, {taken}
  FROM lines AS them LEFT JOIN pools AS pool ON {same} AND them.share > 0 WHERE them.parent IS NOT NULL
),
given AS MATERIALIZED (SELECT instance, {key}, {given} FROM children GROUP BY ALL),
parents AS (
  SELECT them.*, {rounded}, row_number() OVER (PARTITION BY {theirs} ORDER BY them.effective DESC) AS turn
  FROM (
    SELECT *, CAST(effective AS DOUBLE) / CAST(sum(effective) OVER (PARTITION BY {key}, instance) AS DOUBLE) AS weight
    FROM lines WHERE parent IS NULL AND instance IS NOT NULL
  ) AS them JOIN given AS pool ON {same}
)
SELECT them.* {own} FROM lines AS them WHERE instance IS NULL
UNION ALL BY NAME
SELECT them.* {own} FROM lines AS them ANTI JOIN given AS pool ON {same} WHERE parent IS NULL AND instance IS NOT NULL
UNION ALL BY NAME
SELECT them.* EXCLUDE ({OWN_COLUMNS}, instance, account, weight, turn, {_listing("{}_part, pool_{}", _MONEY)},
  {", ".join(_MONEY)}), {lessened}
FROM parents AS them WINDOW same AS (PARTITION BY {theirs})
UNION ALL BY NAME
SELECT them.* EXCLUDE ({OWN_COLUMNS}, instance, account, {_listing("{}_part", _MONEY)},
  {_listing("pool_{}", _FROM_PARENT)}, {", ".join((*_MONEY, *_FROM_PARENT))}),
  {parts}, listed_part AS listed, {from_pool}
FROM children AS them"""


def _taken(name: str) -> str:
    """What a part takes of one cost of its pool: as AWS says where the pool holds it, else in proportion."""
    fraction = "CAST(them.share AS DOUBLE) / CAST(greatest(pool.asked, pool.effective) AS DOUBLE)"
    part = f"CAST(coalesce(CAST(pool.{name} AS DOUBLE) * {fraction}, 0) AS {_EXACT})"
    if name == "effective":
        return f"CASE WHEN pool.asked <= pool.effective THEN CAST(them.share AS {_EXACT}) ELSE {part} END"
    return part


def _listing(pattern: str, names: tuple[str, ...]) -> str:
    return ", ".join(pattern.replace("{}", name) for name in names)
