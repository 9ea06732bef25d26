"""Telemetry: a call leaves as a span and metrics over OTLP where an endpoint is set: its tenant, never its answer."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from catalogue import StandingServer
from contract.calls import some_call
from fixtures.serving import environment_of, on_stdio
from tenantscope_sandbox import Sandbox


class Collector(ThreadingHTTPServer):
    """An OTLP/HTTP endpoint on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _Keep)


class _Keep(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Collector)
        self.server.received[self.path] = self.server.received.get(self.path, b"") + body
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


@pytest.mark.requirement("telemetry")
async def test_spans_and_metrics_of_a_call_are_exported(
    server: StandingServer, small_company: Sandbox, collector: Collector, tmp_path: Path
):
    environment = environment_of(
        server,
        small_company,
        TENANTSCOPE_TOKEN=small_company.issuer.token("acme", "growth", server.spec.scopes),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
    )
    async with on_stdio(server, environment, tmp_path / "log") as client:
        assert not (await client.call_tool(some_call(server.spec), {})).is_error
    spans, metrics = collector.received["/v1/traces"], collector.received["/v1/metrics"]
    assert f"tools/call {some_call(server.spec)}".encode() in spans
    assert b"tenantscope.tenant" in spans
    assert b"acme" in spans
    for instrument in (b"tenantscope.tool.calls", b"tenantscope.tool.duration", b"tenantscope.tool.answer"):
        assert instrument in metrics
    assert f"tenantscope-{server.spec.name}".encode() in metrics
