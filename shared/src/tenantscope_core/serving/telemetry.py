"""OpenTelemetry export, when its SDK is installed and an endpoint is configured; free of cost otherwise."""

import importlib.util
import logging
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def start_telemetry(service: str, version: str, environment: Mapping[str, str]) -> Callable[[], None]:
    """Export spans and metrics over OTLP/HTTP to the standard endpoint variable; returns what flushes and stops it."""
    if ENDPOINT not in environment:
        return lambda: None
    if (
        importlib.util.find_spec("opentelemetry.exporter") is None
        or importlib.util.find_spec("opentelemetry.sdk") is None
    ):
        log.warning("%s is set, but tenantscope-core[telemetry] is not installed: nothing is exported", ENDPOINT)
        return lambda: None
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": f"tenantscope-{service}", "service.version": version})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
    metering = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    metrics.set_meter_provider(metering)

    def stop() -> None:
        tracing.shutdown()
        metering.shutdown()

    return stop
