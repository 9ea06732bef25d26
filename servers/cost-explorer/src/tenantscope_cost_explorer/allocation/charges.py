"""The `charges` relation that allocation reads, and how a rule's conditions read one charge, as SQL.

One row per row of the bill, in FOCUS terms: `day` and `day_end` (the days the charge covers, UTC, end excluded),
`invoice`, `currency`, the columns of `rules.COLUMNS`, `description`, `tags` (a map), the two costs `effective` and
`billed` as DECIMAL(38,12), and whether the row is `readable`, that is whether its source had all that is needed in a
form that can be read. A value that is empty is NULL.

`iam_principal` (the ARN of who called) and `user_identifier` are known from CUR 2.0 alone.

Beside what allocation needs: `charge_frequency`, `pricing_category`, `commitment` (CommitmentDiscountId), `sku`
(SkuId), `resource_type`, `quantity` (ConsumedQuantity, DECIMAL(38,12)) with its `unit`, and `listed` (ListCost); NULL
where the source does not say.
"""

from collections.abc import Iterable

from tenantscope_core.stores.sql_text import string_literal

from tenantscope_cost_explorer.allocation.rules import PARTLY, After, Condition, Rule, Selector, Tag


def literal(value: str | None) -> str:
    """A SQL text literal."""
    return "NULL" if value is None else string_literal(value)


def value_of(selector: Selector | None) -> str:
    """The SQL expression for a selector's value; NULL where the charge does not say."""
    if selector is None:
        return "CAST(NULL AS VARCHAR)"
    if isinstance(selector, Tag):
        return f"nullif(tags[{literal(selector.key)}], '')"
    if isinstance(selector, After):
        value, text = value_of(selector.of), literal(selector.text)
        return f"CASE WHEN contains({value}, {text}) THEN nullif(split_part({value}, {text}, -1), '') END"
    return selector.name


def holds(condition: Condition) -> str:
    """The SQL predicate for a condition."""
    value = value_of(condition.selector)
    if condition.values is None:
        return f"{value} IS NOT NULL"
    if not isinstance(condition.selector, Tag) and condition.selector.name in PARTLY:
        return "(" + " OR ".join(f"contains({value}, {literal(part)})" for part in condition.values) + ")"
    return f"{value} IN ({', '.join(literal(each) for each in condition.values)})"


def first_match(rules: Iterable[Rule]) -> str:
    """The SQL expression for the number of the first rule that consumes a charge; NULL where none does."""
    cases = [
        f"WHEN {' AND '.join(holds(condition) for condition in rule.conditions)} THEN {number}"
        for number, rule in enumerate(rules)
    ]
    return f"CAST(CASE {' '.join(cases)} END AS INTEGER)"
