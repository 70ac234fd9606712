"""Imported once by the server that forks the children of `crashing`: what a run would import only when it needs it."""

import dagster as dg

from argo_retention.adapters.bucket_rules import session
from argo_retention.defs.plots import stacked_bars
from argo_retention_tests.e2e import crashing  # noqa: F401

with dg.DagsterInstance.ephemeral():
    stacked_bars("warm", ["up"], {"once": [1]})
    session().client("s3", region_name="us-east-1")
