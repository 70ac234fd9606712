"""Dagster only: resources, partitions, assets, checks, jobs, schedules, sensors."""
