"""Archiving finished workflows: logs first, then the row that names them, then the proof.

One streaming step: pages are listed while earlier batches are prepared, their logs saved and their rows
written. Memory is bounded by a few batches, whatever the size of the cluster. Only what is finished and not
proven yet (or has a log that is not settled) is fetched whole.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from argo_retention.core import labels
from argo_retention.core.identities import Identity, identify
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogSource, LogState
from argo_retention.errors import ManifestError
from argo_retention.operations.archive_batches import (
    BatchArchiver,
    Refusal,
    WorkflowResult,
    refuse,
)
from argo_retention.operations.garbage import rare_collections
from argo_retention.operations.guarding import check_sound
from argo_retention.operations.log_tasks import first_line
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import stream_snapshot
from argo_retention.operations.waiting import WAKE_EVERY, result_of

BATCH = 25
PAGE = (
    50  # full objects of one answer, each of whose bytes is in memory twice while it is taken apart
)
BATCHES_AT_ONCE = 3
SINGLE_GETS_UP_TO = 200  # more unproven ones than this, and a paged list is cheaper
GETS_IN_FLIGHT = 16
EXCEPTIONS_KEPT = 1000


@dataclass(slots=True, kw_only=True)
class Archived:
    """What one archive step did; filled by several threads under a lock."""

    finished: int = 0  # in the snapshot
    proven_before: int = 0
    archived: int = 0  # rows written now
    proven_now: int = 0  # rows that were right and are proven now
    logs: Counter[str] = field(default_factory=Counter)  # state → how many, of this step
    saved_logs: int = 0  # put into the bucket by this step
    saved_bytes: int = 0
    log_exceptions: list[tuple[str, str, str]] = field(default_factory=list)  # unsettled ones
    lost_logs: list[tuple[str, str, str]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)  # kept, each with its reason

    def count(self, result: WorkflowResult, *, run_id: str) -> None:
        """Add one workflow."""
        if isinstance(result, Refusal):
            self.refusals.append(result)
            return
        self.archived += result.wrote_row
        self.proven_now += not result.wrote_row
        for record in result.logs:
            self.logs[record.state.value] += 1
            where = f"{record.namespace}/{record.workflow}"
            what = f"{record.node_id}/{record.container}: {record.reason}"
            if not record.state.is_settled:
                _remember(self.log_exceptions, (where, record.state.value, what))
            elif record.state is LogState.LOST:
                _remember(self.lost_logs, (where, record.state.value, what))
            elif record.source is LogSource.OURS and record.run_id == run_id:
                self.saved_logs += 1
                self.saved_bytes += record.size or 0


def _remember(exceptions: list[tuple[str, str, str]], one: tuple[str, str, str]) -> None:
    """Keep the first thousand; the ledger has them all."""
    if len(exceptions) < EXCEPTIONS_KEPT:
        exceptions.append(one)


def archive_finished(site: Site, grant: LeaseGrant) -> Archived:
    """Archive and prove every finished workflow of this root run's snapshot.

    What cannot be archived is kept and named in `refusals`; the others go on. Raises DatabaseError,
    ClusterError or ListIncompleteError when a whole server fails; batches that were committed stay.
    """
    check_sound(site, deletes=False)
    result = Archived()
    todo: set[str] = set()  # uids alone: the snapshot of a large cluster is larger than all batches
    few: list[LiveWorkflow] = []  # the same as long as they are few
    needs = to_archive(site)
    for workflow in stream_snapshot(site)[1]:
        if not workflow.is_finished:
            continue
        result.finished += 1
        if needs(workflow):
            todo.add(workflow.uid)
            if len(few) <= SINGLE_GETS_UP_TO:
                few.append(workflow)
        else:
            result.proven_before += 1
    single = len(todo) <= SINGLE_GETS_UP_TO
    bodies = _get_each(site, few, result) if single else _list_all(site, todo, result)
    lock = threading.Lock()
    archiver = BatchArchiver(site, grant)
    done = 0

    def work(batch: Sequence[bytes]) -> None:
        nonlocal done
        for outcome in archiver.archive(batch):
            with lock:
                result.count(outcome, run_id=site.run_id)
        with lock:
            done += len(batch)
            site.progress("archive", done, len(todo))

    with archiver:
        pipeline(in_batches(bodies), work)
    return result


def to_archive(site: Site) -> Callable[[LiveWorkflow], bool]:
    """Whether a finished workflow is not proven at its version, or has a log that is not settled."""
    installation = site.installation
    selector = installation.policy.archive_selector
    proven = {
        proof.uid: (proof.resource_version, proof.live_version)
        for proof in site.archive.proven_versions(clustername=installation.clustername)
        if proof.expired_while_live or (proof.row_exists and proof.logs.is_settled)
    }

    def needs(workflow: LiveWorkflow) -> bool:
        if labels.RESTORED_FROM in workflow.annotations:
            return False  # a copy of one that is archived
        if workflow.resource_version in proven.get(workflow.uid, ()):
            return False
        return selector is None or selector.matches(workflow.labels)

    return needs


def _get_each(site: Site, workflows: Sequence[LiveWorkflow], result: Archived) -> Iterator[bytes]:
    with ThreadPoolExecutor(GETS_IN_FLIGHT, thread_name_prefix="get") as pool:
        futures = [
            pool.submit(site.cluster.get_workflow, namespace=w.namespace, name=w.name)
            for w in workflows
        ]
        for workflow, future in zip(workflows, futures, strict=True):
            body = future.result()
            seen = Identity(uid=workflow.uid, namespace=workflow.namespace, name=workflow.name)
            try:
                found = identify(body) if body is not None else None
            except ManifestError as error:
                result.refusals.append(refuse(seen, "unreadable", first_line(error)))
                continue
            if body is not None and found == seen:
                yield body
            else:
                sentence = "it went between the snapshot and now"
                result.refusals.append(refuse(seen, "gone", sentence))


def _list_all(site: Site, todo: AbstractSet[str], result: Archived) -> Iterator[bytes]:
    pages = site.cluster.list_full(
        selector=site.installation.selector,
        namespace=site.installation.managed_namespace,
        page_size=PAGE,
    )
    for page in pages:
        for body in page:
            try:
                wanted = identify(body).uid in todo
            except ManifestError as error:
                result.refusals.append(refuse(None, "unreadable", first_line(error)))
                continue
            if wanted:
                yield body


def in_batches(bodies: Iterator[bytes]) -> Iterator[Sequence[bytes]]:
    """These objects, a batch at a time."""
    batch: list[bytes] = []
    for body in bodies:
        batch.append(body)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def pipeline(batches: Iterator[Sequence[bytes]], work: Callable[[Sequence[bytes]], None]) -> None:
    """Work on a few batches at once while the next is being fetched; the first failure stops all."""
    with (
        rare_collections(),
        ThreadPoolExecutor(BATCHES_AT_ONCE, thread_name_prefix="archive") as pool,
    ):
        running: set[Future[None]] = set()
        room = threading.Semaphore(BATCHES_AT_ONCE + 1)
        try:
            for batch in batches:
                has_room = False
                while not has_room:
                    has_room = room.acquire(timeout=WAKE_EVERY)
                for future in [f for f in running if f.done()]:
                    running.discard(future)
                    future.result()
                future = pool.submit(work, batch)
                future.add_done_callback(lambda _: room.release())
                running.add(future)
            for future in running:
                result_of(future)
        except BaseException:
            for future in running:
                future.cancel()
            raise
