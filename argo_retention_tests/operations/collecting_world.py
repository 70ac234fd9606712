"""Finished workflows on fakes that policy removes, planned by a run."""

from argo_retention.operations.collecting import Collected
from argo_retention_tests.operations.at_work import AtWork

ALL = {"argo": {"retentionPolicy": {"completed": 0}}}
NO_LOGS = {"logs": {"save": "none"}}


def work_with(*names: str, settings: dict[str, object] | None = None, **given: object) -> AtWork:
    """Finished ones that policy removes, planned by a run."""
    work = AtWork({**ALL, **NO_LOGS, **(settings or {})})
    for name in names:
        work.run(name, log=None, **given)  # type: ignore[arg-type]
    work.planned()
    return work


def outcomes(done: Collected) -> dict[str, str]:
    return {deletion.name: deletion.outcome for deletion in done.deletions}


def ledger(work: AtWork) -> dict[str, str]:
    """name → outcome, as the ledger has it."""
    return {deletion.name: deletion.outcome for _, deletion in work.archive.deletions.values()}


def deletes(work: AtWork) -> int:
    return len(work.cluster.calls_of("delete_workflow"))
