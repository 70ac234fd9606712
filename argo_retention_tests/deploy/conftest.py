"""Worlds as in the end-to-end tests."""

from argo_retention_tests.e2e.conftest import cli, new_seed, servers  # noqa: F401
