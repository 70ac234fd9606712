"""`argo-retention doctor`: tries each right and each part, and says what mends what is missing."""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from argo_retention.adapters.s3_log_store import open_log_store
from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json, safe
from argo_retention.errors import ConfigurationError
from argo_retention.operations.doctoring.examining import Instruments, examine
from argo_retention.operations.doctoring.findings import Finding, Findings, Status
from argo_retention.operations.probing import probe_bucket
from argo_retention.sites import load_settings, open_archive, open_cluster, utc_now, what_moved

OF_DAGSTER = ""  # in place of a cluster
_MARGIN = 8  # columns of the status
_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


@click.command("doctor")
@cluster_option
@config_option
@json_option
def command(cluster: str | None, config: Path, as_json: bool) -> int:
    """Try each right and each part of one cluster, or of all; change nothing.

    Where DAGSTER_HOME is set, Dagster's instance is looked at, too.

    Exit code 0 when nothing failed, 1 when something did; warnings are no failure.
    """
    settings = load_settings(config)
    names = list(settings.clusters) if cluster is None else [chosen_cluster(settings, cluster)]
    instruments = Instruments(
        connect=open_cluster,
        open_archive=open_archive,
        open_log_store=open_log_store,
        probe=probe_bucket,
        conflicts=partial(what_moved, settings),
        environment=os.environ,
        clock=utc_now,
    )
    found = chain(examine(settings, names, instruments), _of_dagster())
    findings = list(found if as_json else _shown(found, console()))
    counts = Counter(finding.status for finding in findings)
    if as_json:
        print_json(
            {
                "findings": findings,
                "ok": counts[Status.OK],
                "warnings": counts[Status.WARNING],
                "failed": counts[Status.FAILED],
            }
        )
    return 1 if counts[Status.FAILED] else 0


def _of_dagster() -> Iterator[Finding]:
    """What the instance of DAGSTER_HOME should have; nothing where there is none."""
    if not os.environ.get("DAGSTER_HOME"):
        return
    from argo_retention.cli.executing import dagster_instance
    from argo_retention.defs.instance import examine_instance

    findings = Findings(cluster=OF_DAGSTER)
    try:
        with dagster_instance() as instance:
            yield from examine_instance(findings, instance)
    except ConfigurationError as error:
        yield findings.failed("Dagster's instance", error)


def _shown(findings: Iterator[Finding], out: Console) -> Iterator[Finding]:
    """Each as soon as it is there: a server that does not answer keeps one waiting."""
    cluster = None
    counts: Counter[Status] = Counter()
    for finding in findings:
        if finding.cluster != cluster:
            cluster = finding.cluster
            title = f"Cluster {cluster}" if cluster != OF_DAGSTER else "Dagster"
            out.print(Text(title, style="bold"))
        counts[finding.status] += 1
        _show(finding, out)
        yield finding
    out.print(
        f"{counts[Status.FAILED]} failed, {counts[Status.WARNING]} warnings, {counts[Status.OK]} ok"
    )


def _show(finding: Finding, out: Console) -> None:
    head = Text(f"{finding.status:<{_MARGIN}}", style=_STYLES[finding.status])
    what = f"{finding.check}: {finding.what}"
    if out.is_terminal:
        grid = Table.grid()
        grid.add_column(width=_MARGIN)
        grid.add_column(overflow="fold")
        grid.add_row(head, paragraph(what))
        out.print(grid)
    else:
        first, *more = what.split("\n")
        out.print(Text.assemble(head, safe(first)))
        for line in more:
            out.print(Text(" " * _MARGIN) + safe(line))
    for line in finding.mend.split("\n") if finding.mend else ():
        # Not wrapped by us: it is to be copied.
        out.print(Text(" " * _MARGIN) + safe(line), soft_wrap=True)
