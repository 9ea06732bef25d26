"""Serving: settings, transports, the HTTP gate, health, telemetry, the command line."""
