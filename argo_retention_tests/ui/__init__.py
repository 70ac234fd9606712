"""Dagster's UI in a real Chromium, clicked through as people do: `make test-ui`."""
