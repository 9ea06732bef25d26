"""The counts in Valkey: how a process adds to them, and how another reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenantscope_core.metering.tally import FIELDS, MINUTES_KEPT, Tally, last_full_minute, month_of
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.valkey import Script, ScriptRun, ValkeyStore, Value

NAMESPACE, _ADMISSION, _LEASES = "metering", "admission", "leases"
_MONTH_SECONDS = 100 * 86_400
_MINUTE_SECONDS = MINUTES_KEPT * 60
_TOLD_SECONDS = 600  # for how long a batch told twice is counted once

# KEYS: told (the last batch of this process), last, a month each, a minute each.
# ARGV: batch, how long it is known, last call or '', months, how long each is kept, how long minutes are, names of the
# sums, then the sums of each month, then the calls of each minute. Answers 0 where this batch was told before.
_ADD = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if ARGV[3] ~= '' and ARGV[3] > (redis.call('GET', KEYS[2]) or '') then
  redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[5])
end
local months, names, at = tonumber(ARGV[4]), {}, 8
for name in string.gmatch(ARGV[7], '%S+') do
  table.insert(names, name)
end
for key = 3, 2 + months do
  for _, name in ipairs(names) do
    redis.call('HINCRBY', KEYS[key], name, ARGV[at])
    at = at + 1
  end
  redis.call('EXPIRE', KEYS[key], ARGV[5])
end
for key = 3 + months, #KEYS do
  redis.call('INCRBY', KEYS[key], ARGV[at])
  redis.call('EXPIRE', KEYS[key], ARGV[6])
  at = at + 1
end
return 1
""")


@dataclass(frozen=True, slots=True)
class MeteredUse:
    """What one tenant uses of all servers together; what was never counted is 0.

    `refused_this_month` are calls that it was told how to mend, `failed_this_month` those that failed by our fault.
    Months are UTC's. `running_now` counts the calls of the tenant's own callers that run, this one too if it is.
    """

    calls_this_month: int
    refused_this_month: int
    failed_this_month: int
    milliseconds_this_month: int
    answer_bytes_this_month: int
    answer_tokens_this_month: int
    calls_last_full_minute: int
    running_now: int
    last_call: datetime | None


async def add_tallies(store: ValkeyStore, process: str, batch: int, tallies: Sequence[tuple[str, Tally]]) -> None:
    """Add what a process has counted, in one round trip.

    Repeating a batch adds nothing, for ten minutes after it was told. A process tells its batches one after another.

    Raises:
        Unavailable: Valkey is down or slow; some of the tenants may have been added.
    """
    runs = [_run(process, batch, tenant, tally) for tenant, tally in tallies]
    await store.run_scripts(_ADD, NAMESPACE, runs)


def _run(process: str, batch: int, tenant: str, tally: Tally) -> ScriptRun:
    months, minutes = list(tally.months.items()), list(tally.minutes.items())
    keys = [f"told:{process}", "last", *(f"month:{name}" for name, _ in months), *(f"minute:{at}" for at, _ in minutes)]
    last = "" if tally.last is None else tally.last.isoformat(timespec="milliseconds")
    sums: list[Value] = [round(amount) for _, amounts in months for amount in amounts]
    head: list[Value] = [batch, _TOLD_SECONDS, last, len(months), _MONTH_SECONDS, _MINUTE_SECONDS, " ".join(FIELDS)]
    return ScriptRun(tenant, keys, [*head, *sums, *(calls for _, calls in minutes)])


async def read_use(store: ValkeyStore, tenant: str, now: datetime) -> MeteredUse | None:
    """What a tenant has used, some seconds ago; None while Valkey is down. Three round trips.

    Raises:
        ValueError: No tenant id.
    """
    counts, admission = store.tenant(tenant, NAMESPACE), store.tenant(tenant, _ADMISSION)
    try:
        sums = await counts.hash_get(f"month:{month_of(now)}")
        minute, last = await counts.get_many([f"minute:{last_full_minute(now)}", "last"])
        running = await admission.sorted_count(_LEASES, now.timestamp() * 1000, float("inf"))
    except Unavailable:
        return None
    month = {name: int(sums.get(name.encode(), 0)) for name in FIELDS}
    return MeteredUse(
        **{f"{name}_this_month": month[name] for name in FIELDS},
        calls_last_full_minute=int(minute or 0),
        running_now=running,
        last_call=datetime.fromisoformat(last.decode()) if last else None,
    )
