"""Costs over time, for finding what is unusual: the series that moved most, by day and month, and what happened once.

Of a large fleet not every series is fetched: SQL picks those that depart most from their own past, and says by how much
the others depart at most. What they hold is in the totals of their service, which are always fetched, and which leave
out tenants that came within the past that is looked at: their growth is no event.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import LATEST, Month, Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.schemas import ALLOCATED_COST
from tenantscope_core.stores.sql import Table
from tenantscope_core.stores.windows import Window

from tenantscope_cost_explorer.anomalies.baselines import FEWEST_MONTHS, MOST_MONTHS, REFERENCE_DAYS
from tenantscope_cost_explorer.anomalies.events import ALL, ONBOARDING_DAYS, ZERO, Days, Event, Key, Spent, one_off
from tenantscope_cost_explorer.anomalies.search import DailySeries, MonthlySeries
from tenantscope_cost_explorer.changes.report import RESIDUAL
from tenantscope_cost_explorer.sources.costs import GROUPS, MAX_ROWS, NONE, Costs
from tenantscope_cost_explorer.sources.moves import ONE_OFF

MOST_ASKED_DAYS = 92
_MOST_SERIES, _FEWEST_SERIES = 400, 100
_MONTHLY_SERIES, _ONE_OFFS = 400, 200
_SETTLED_AFTER = timedelta(days=2)
_SLACK = timedelta(days=7)

_USAGE = f"\"ChargeCategory\" = 'Usage' AND NOT {ONE_OFF}"
_DAILY = 'date_diff(\'day\', "ChargePeriodStart", "ChargePeriodEnd") <= 1'
_SERVICE = f"\"BillingCurrency\" AS currency, coalesce({GROUPS['service']}, '{NONE}') AS service"
_KEYS = f"{_SERVICE}, coalesce(tenant_id, '{RESIDUAL}') AS tenant"
_FEATURE = f"coalesce({GROUPS['feature']}, '{NONE}') AS feature"


@dataclass(frozen=True, slots=True)
class Asked:
    """The period, the days of it that are complete, and the committed months that reach back from it without a gap."""

    window: Window
    days: Days
    table: Table
    running: bool

    @property
    def months(self) -> list[tuple[date, int]]:
        """The first days and lengths of the months up to the period's last complete one, oldest first."""
        firsts = [Month.parse(name).first_day for name in sorted(self.table.months)]
        ends = [(first, Month(first.year, first.month).shift(1).first_day) for first in firsts]
        last = self.days.last + timedelta(days=1)
        return [(first, (end - first).days) for first, end in ends if end <= last]


async def asked(costs: Costs, aws: AwsCaller, tenant: str | None, period: str | None, now: datetime) -> Asked:
    """The period that a caller wrote; None is the last complete month, or where there is none the running one.

    Raises:
        InvalidArgument: It is no period, or longer than three months.
        NotFound: Nothing of it is committed.
    """
    window = await costs.window(aws, tenant, period or LATEST)
    if period is None and window.period.end > now.date() and window.before is not None:
        window = await costs.window(aws, tenant, str(window.before))
    wanted = window.period
    if wanted.days > MOST_ASKED_DAYS:
        raise InvalidArgument("Anomalies are looked for in at most three months at a time.", parameter="period")
    committed = await costs.reader.committed(aws, ALLOCATED_COST.name, tenant)
    known = committed.manifest.months
    latest = max(month for month in wanted.months if str(month) in known)
    back = [latest]  # a month that is missing is no month without cost: what lies before it is not looked at
    oldest = wanted.months[0].shift(-MOST_MONTHS)
    while back[-1] > oldest and str(back[-1].shift(-1)) in known:
        back.append(back[-1].shift(-1))
    table = Table.of(ALLOCATED_COST, committed, set(map(str, back)))
    known_from = max(wanted.start - timedelta(days=REFERENCE_DAYS), back[-1].first_day)
    end = min(wanted.end, latest.shift(1).first_day)
    last = end - timedelta(days=1)
    running = known[str(latest)].written.date() < end + _SETTLED_AFTER
    if running:
        found = await costs.engine.query(
            f'SELECT max("ChargePeriodStart") FROM costs WHERE {_DAILY} AND {_USAGE}',
            (),
            {"costs": _months(table, known_from, last)},
            aws=aws,
        )
        newest_day: date | None = found.rows[0][0]
        begin = max(wanted.start, back[-1].first_day)
        last = max(begin, min(last, (newest_day or begin) - timedelta(days=1)))
    return Asked(window, Days(known_from, max(wanted.start, back[-1].first_day), last), table, running)


async def daily_series(costs: Costs, aws: AwsCaller, wanted: Asked) -> DailySeries:
    """What is known by the day: usage, without what happens once."""
    days, table = wanted.days, _months(wanted.table, wanted.days.known_from, wanted.days.last)
    past, now = (days.first - days.known_from).days, (days.last - days.first).days + 1
    most = min(_MOST_SERIES, max(_FEWEST_SERIES, MAX_ROWS // (past + now)))
    within = (
        f"{_DAILY} AND {_USAGE} AND \"ChargePeriodStart\" >= DATE '{days.known_from}'"
        f" AND \"ChargePeriodStart\" <= DATE '{days.last}'"
    )
    new = f"(since > DATE '{days.known_from + _SLACK}' AND tenants.tenant <> '{RESIDUAL}')"
    young = days.last - timedelta(days=ONBOARDING_DAYS)
    result = await costs.engine.query(
        f"""
        WITH units AS (
          SELECT {_KEYS}, {_FEATURE}, "ChargePeriodStart" AS day, "ConsumedUnit" AS unit, sum("EffectiveCost") AS cost,
            sum("ConsumedQuantity") AS quantity
          FROM costs WHERE {within} GROUP BY 1, 2, 3, 4, 5, 6
        ),
        daily AS (
          SELECT currency, service, tenant, feature, day, sum(cost) AS spent FROM units GROUP BY 1, 2, 3, 4, 5
        ),
        tenants AS (SELECT tenant, min(day) AS since FROM daily GROUP BY 1),
        sums AS (
          SELECT currency, service, tenant, feature,
            coalesce(CAST(sum(spent) FILTER (WHERE day < DATE '{days.first}') AS DOUBLE), 0e0) / {max(past, 1)}e0
              AS usual,
            coalesce(CAST(max(spent) FILTER (WHERE day < DATE '{days.first}') AS DOUBLE), 0e0) AS highest,
            coalesce(CAST(max(spent) FILTER (WHERE day >= DATE '{days.first}') AS DOUBLE), 0e0) AS peak,
            coalesce(CAST(sum(spent) FILTER (WHERE day >= DATE '{days.first}') AS DOUBLE), 0e0) AS total
          FROM daily GROUP BY 1, 2, 3, 4
        ),
        departures AS (
          SELECT *, greatest(abs(peak - usual), abs(total - usual * {now}e0)) AS departure FROM sums
        ),
        placed AS (
          SELECT *, count(*) OVER () AS series,
            row_number() OVER (ORDER BY departure DESC, currency, service, tenant, feature) AS by_departure,
            row_number() OVER (ORDER BY peak - highest DESC, currency, service, tenant, feature) AS by_peak
          FROM departures
        ),
        chosen AS (
          SELECT *, max(CASE WHEN by_departure > {most // 2} AND by_peak > {most // 2} THEN departure ELSE 0e0 END)
            OVER () AS unseen
          FROM placed
        ),
        looked_at AS (
          SELECT units.currency, units.service, units.tenant, units.feature, day, quantity, unit,
            CASE WHEN {new} THEN since ELSE DATE '{days.known_from}' END AS since, series, unseen,
            sum(cost) OVER (PARTITION BY units.currency, units.service, units.tenant, units.feature, day) AS spent,
            row_number() OVER (PARTITION BY units.currency, units.service, units.tenant, units.feature, day
              ORDER BY cost DESC, coalesce(unit, '')) AS by_cost
          FROM units JOIN tenants ON tenants.tenant = units.tenant
          JOIN chosen ON chosen.currency = units.currency AND chosen.service = units.service
            AND chosen.tenant = units.tenant AND chosen.feature = units.feature
          WHERE by_departure <= {most // 2} OR by_peak <= {most // 2}
        )
        SELECT currency, service, tenant, feature, day, spent, quantity, unit, since, series, unseen,
          (SELECT count(*) FROM tenants WHERE {new} AND since > DATE '{young}')
        FROM looked_at WHERE by_cost = 1""",
        (),
        {"costs": table},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    if result.truncated:
        raise InvalidArgument("That is more than one answer can look at; ask for a shorter period.", parameter="period")
    series: dict[Key, dict[date, Spent]] = defaultdict(dict)
    since: dict[str, date] = {}
    for currency, service, tenant, feature, day, spent, quantity, unit, first, *_ in result.rows:
        series[Key(currency, service, tenant, feature)][day] = Spent(spent, quantity if unit else None, unit)
        since[tenant] = first
    totals = await costs.engine.query(
        f"""
        WITH daily AS (
          SELECT {_KEYS}, "ChargePeriodStart" AS day, sum("EffectiveCost") AS spent
          FROM costs WHERE {within} GROUP BY 1, 2, 3, 4
        ),
        tenants AS (SELECT tenant, min(day) AS since FROM daily GROUP BY 1)
        SELECT currency, service, day, sum(spent)
        FROM daily JOIN tenants ON tenants.tenant = daily.tenant WHERE NOT {new} GROUP BY 1, 2, 3""",
        (),
        {"costs": table},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    return DailySeries(
        dict(series),
        _totals(totals.rows),
        since,
        max((int(row[-3]) for row in result.rows), default=0),
        max((float(row[-2]) for row in result.rows), default=0.0),
        max((int(row[-1]) for row in result.rows), default=0),
    )


async def monthly_series(costs: Costs, aws: AwsCaller, wanted: Asked) -> MonthlySeries:
    """What is known by the month only: usage shared by the month, by service; nothing where the past is too short."""
    months = wanted.months
    names = [f"{first:%Y-%m}" for first, _ in months]
    now = [name for name, (first, _) in zip(names, months, strict=True) if first >= wanted.days.first]
    if not now or len(months) <= FEWEST_MONTHS:
        return MonthlySeries({}, {}, {}, 0)
    within = f"NOT {_DAILY} AND {_USAGE}"
    table = _only(wanted.table, names)
    sums = f'SELECT {_KEYS}, month, sum("EffectiveCost") AS spent FROM costs WHERE {within} GROUP BY 1, 2, 3, 4'
    new = f"(since > '{names[0]}' AND tenants.tenant <> '{RESIDUAL}')"
    result = await costs.engine.query(
        f"""
        WITH monthly AS ({sums}),
        tenants AS (SELECT tenant, min(month) AS since FROM monthly GROUP BY 1),
        departures AS (
          SELECT currency, service, tenant, abs(
            coalesce(CAST(sum(spent) FILTER (WHERE month >= '{now[0]}') AS DOUBLE), 0e0) / {len(now)}e0
            - coalesce(CAST(sum(spent) FILTER (WHERE month < '{now[0]}') AS DOUBLE), 0e0) / {len(names) - len(now)}e0
          ) AS departure
          FROM monthly GROUP BY 1, 2, 3
        ),
        placed AS (
          SELECT *, count(*) OVER () AS series,
            row_number() OVER (ORDER BY departure DESC, currency, service, tenant) AS place
          FROM departures
        )
        SELECT monthly.currency, monthly.service, monthly.tenant, month, spent,
          CASE WHEN {new} THEN since ELSE '{names[0]}' END, series
        FROM monthly JOIN tenants ON tenants.tenant = monthly.tenant
        JOIN placed ON placed.currency = monthly.currency AND placed.service = monthly.service
          AND placed.tenant = monthly.tenant
        WHERE place <= {_MONTHLY_SERIES}""",
        (),
        {"costs": table},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    series: dict[Key, dict[date, Decimal]] = defaultdict(dict)
    since: dict[str, date] = {}
    for currency, service, tenant, month, spent, first, _ in result.rows:
        series[Key(currency, service, tenant, ALL)][Month.parse(month).first_day] = spent
        # The month in which a tenant comes is no whole one.
        since[tenant] = Month.parse(first).shift(1 if first > names[0] else 0).first_day
    totals = await costs.engine.query(
        f"""
        WITH monthly AS ({sums}), tenants AS (SELECT tenant, min(month) AS since FROM monthly GROUP BY 1)
        SELECT currency, service, month, sum(spent)
        FROM monthly JOIN tenants ON tenants.tenant = monthly.tenant WHERE NOT {new} GROUP BY 1, 2, 3""",
        (),
        {"costs": table},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    by_service = [
        (currency, service, Month.parse(month).first_day, sum_) for currency, service, month, sum_ in totals.rows
    ]
    return MonthlySeries(
        dict(series), _totals(by_service), since, max((int(row[-1]) for row in result.rows), default=0)
    )


async def one_offs(costs: Costs, aws: AwsCaller, wanted: Asked) -> list[Event]:
    """What happened once in the period: the largest by tenant, the rest by service and day."""
    period = wanted.window.period
    within = f"\"ChargePeriodStart\" >= DATE '{period.start}' AND \"ChargePeriodStart\" < DATE '{period.end}'"
    if period.is_whole_months:  # a late correction is of days long before its bill
        within = "true"
    result = await costs.engine.query(
        f"""
        WITH once AS (
          SELECT {_KEYS}, {_FEATURE}, "ChargePeriodStart" AS day, sum("EffectiveCost") AS spent
          FROM costs WHERE {ONE_OFF} AND {within} GROUP BY 1, 2, 3, 4, 5
        ),
        placed AS (
          SELECT *, row_number() OVER (ORDER BY abs(spent) DESC, currency, service, tenant, feature, day) AS place
          FROM once WHERE spent <> 0
        )
        SELECT currency, service, CASE WHEN place <= {_ONE_OFFS} THEN tenant ELSE '{ALL}' END,
          CASE WHEN place <= {_ONE_OFFS} THEN feature ELSE '{ALL}' END, day, sum(spent)
        FROM placed GROUP BY 1, 2, 3, 4, 5""",
        (),
        {"costs": _months(wanted.table, period.start, period.end - timedelta(days=1))},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    return [one_off(Key(*row[:4]), row[4], row[5]) for row in result.rows]


def _months(table: Table, first: date, last: date) -> Table:
    return _only(table, Period(first, last + timedelta(days=1)).month_names)


def _only(table: Table, names: Collection[str]) -> Table:
    return replace(table, months={name: commit for name, commit in table.months.items() if name in names})


def _totals(rows: Sequence[tuple[str, str, date, Decimal]]) -> dict[Key, dict[date, Decimal]]:
    found: dict[Key, dict[date, Decimal]] = defaultdict(dict)
    for currency, service, day, cost in rows:
        of_service = found[Key(currency, service, ALL, ALL)]
        of_service[day] = of_service.get(day, ZERO) + cost
    return dict(found)
