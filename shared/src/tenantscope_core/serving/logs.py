"""Structured log lines on stderr; stdout belongs to the protocol."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and a record's `event` merged in."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if isinstance(event, dict):
            line.update(event)  # pyright: ignore[reportUnknownArgumentType]
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """For a person at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record, its event's fields behind it."""
        event = getattr(record, "event", None)
        fields = " ".join(f"{k}={v!r}" for k, v in event.items()) if isinstance(event, dict) else ""  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return f"{super().format(record)} {fields}".rstrip()


def configure_logging(level: str, form: Literal["json", "text"], package: str) -> None:
    """Send all logging to stderr in one form; replaces whatever was configured.

    `level` is for what we wrote. Libraries stay at WARNING: at DEBUG they log requests, answers and headers.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level]), handlers=[handler], force=True
    )
    for ours in ("tenantscope", "tenantscope_core", package):
        logging.getLogger(ours).setLevel(level)
