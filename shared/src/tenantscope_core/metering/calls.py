"""One record per call: who, what, how it ended, how long and how large. Never an argument or an answer."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

if TYPE_CHECKING:
    from tenantscope_core.metering.counts import UseCounts

log = logging.getLogger("tenantscope.calls")

_BYTES_PER_TOKEN = 4  # what English text and JSON come to on average, within a fifth


@dataclass(slots=True)
class CallRecord:
    """What is known of a call when it has ended."""

    server: str
    tool: str
    tenant: str | None = None  # whose data; None before the caller is known, and for fleet questions
    audience: str | None = None
    subject: str | None = None
    actor: str | None = None
    outcome: str = "cancelled"  # until something else is known
    milliseconds: float = 0.0
    answer_bytes: int = 0

    @property
    def answer_tokens(self) -> int:
        """About how many tokens the answer costs a model."""
        return -(-self.answer_bytes // _BYTES_PER_TOKEN)


class Meter:
    """Writes each record as a structured log line (the usage event), span attributes and OpenTelemetry instruments."""

    def __init__(self, counts: "UseCounts | None" = None) -> None:
        self._counts = counts
        meter = metrics.get_meter("tenantscope")
        self._calls = meter.create_counter("tenantscope.tool.calls", unit="{call}")
        self._duration = meter.create_histogram("tenantscope.tool.duration", unit="ms")
        self._answer = meter.create_histogram("tenantscope.tool.answer", unit="By")

    def write(self, record: CallRecord) -> None:
        """Count a call that has ended."""
        if self._counts is not None:
            self._counts.count(record)
        labels = {"server": record.server, "tool": record.tool, "outcome": record.outcome}
        self._calls.add(1, labels)
        self._duration.record(record.milliseconds, labels)
        self._answer.record(record.answer_bytes, labels)
        span = trace.get_current_span()
        span.set_attribute("tenantscope.outcome", record.outcome)
        if record.tenant is not None:
            span.set_attribute("tenantscope.tenant", record.tenant)
        if log.isEnabledFor(logging.INFO):
            event = {name: getattr(record, name) for name in CallRecord.__slots__}
            log.info("tool_call", extra={"event": {**event, "answer_tokens": record.answer_tokens}})
