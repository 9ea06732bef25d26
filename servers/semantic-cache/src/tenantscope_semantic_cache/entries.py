"""One answer to one prompt as it is kept, and the copy of it that the exact tier holds."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_VERSION_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Work:
    """What it took to make an answer, as its caller said it; None where it did not. `latency_ms` in milliseconds."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer, who stored it and when, and what it saves. `entry_id` is hexadecimal; `model` '' if not stated.

    `shadowed`: it is shared, and some user has an answer of its own to the same prompt, which goes before it.
    """

    entry_id: str
    version: int
    answer: str
    model: str
    subject: str
    agent: str | None
    shared: bool
    shadowed: bool
    stored_at: datetime
    expires_at: datetime
    work: Work


@dataclass(frozen=True, slots=True)
class Copy:
    """An entry in the exact tier, to be trusted until a time at which PostgreSQL has to be asked again."""

    tenant: str
    entry: Entry
    trusted_until: datetime

    def serves(self, tenant: str, now: datetime) -> bool:
        """Whether this copy answers that tenant at that time."""
        return self.tenant == tenant and now < self.trusted_until and now < self.entry.expires_at


def version_mark(version: int) -> str:
    """A version as text whose order is the order of versions; every copy begins with it."""
    return f"{version:0{_VERSION_DIGITS}d}"


def encoded(copy: Copy) -> bytes:
    """A copy as bytes."""
    entry, work = copy.entry, copy.entry.work
    fields = [
        copy.tenant, copy.trusted_until.timestamp(), entry.entry_id, entry.answer, entry.model, entry.subject,
        entry.agent, entry.shared, entry.shadowed, entry.stored_at.timestamp(), entry.expires_at.timestamp(),
        work.tokens_in, work.tokens_out, None if work.cost is None else str(work.cost), work.currency, work.latency_ms,
    ]  # fmt: skip
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return f"{version_mark(entry.version)}{text}".encode()


def decoded(value: bytes) -> Copy | None:
    """The copy in these bytes, None where they are none."""
    try:
        version = int(value[:_VERSION_DIGITS])
        (
            tenant, trusted_until, entry_id, answer, model, subject, agent, shared, shadowed, stored_at, expires_at,
            tokens_in, tokens_out, cost, currency, latency_ms,
        ) = json.loads(value[_VERSION_DIGITS:])  # fmt: skip
        work = Work(tokens_in, tokens_out, None if cost is None else Decimal(cost), currency, latency_ms)
        entry = Entry(
            entry_id,
            version,
            answer,
            model,
            subject,
            agent,
            shared,
            shadowed,
            _time(stored_at),
            _time(expires_at),
            work,
        )
        return Copy(tenant, entry, _time(trusted_until))
    except (ValueError, TypeError, ArithmeticError):
        return None


def _time(seconds: Any) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
