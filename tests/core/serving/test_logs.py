"""Log lines: one a record, whatever is in it, and nothing of what libraries would tell."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from tenantscope_core.serving.logs import JsonLines, TextLines, configure_logging

EVENT = {"event": {"tenant": "acme", "subject": "ann\nINFO tool_call tenant=globex"}}


OURS = ("tenantscope", "tenantscope_core", "tenantscope_cost_explorer", "tenantscope.test")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in (None, *OURS)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def _written(formatter: logging.Formatter) -> str:
    log, stream = logging.getLogger("tenantscope.test"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log.addHandler(handler)
    log.setLevel("INFO")
    log.info("tool_call", extra=EVENT)
    log.removeHandler(handler)
    return stream.getvalue()


def test_a_subject_with_a_line_break_makes_no_second_line():
    assert _written(TextLines()).count("\n") == 1
    assert json.loads(_written(JsonLines()))["subject"] == EVENT["event"]["subject"]


@pytest.mark.parametrize("noisy", ["sse_starlette.sse", "botocore.endpoint", "urllib3", "mcp.server", "anything.else"])
def test_debug_is_for_our_own_loggers_alone(noisy: str):
    configure_logging("DEBUG", "json", "tenantscope_cost_explorer")
    assert not logging.getLogger(noisy).isEnabledFor(logging.INFO)
    for ours in ("tenantscope.calls", "tenantscope_core.serving", "tenantscope_cost_explorer.tools"):
        assert logging.getLogger(ours).isEnabledFor(logging.DEBUG)


def test_error_silences_warnings_of_libraries_too():
    configure_logging("ERROR", "text", "tenantscope_cost_explorer")
    assert not logging.getLogger("botocore").isEnabledFor(logging.WARNING)
