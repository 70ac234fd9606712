"""Retention for Argo Workflows as Dagster assets."""
