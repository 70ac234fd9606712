"""Doctor on fakes: what a test changes, and how it asks for one finding."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.ledger import DatabaseFacts
from argo_retention.core.ports.archive import Archive
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.ports.log_store import LogStore
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.doctoring.examining import Instruments, examine
from argo_retention.operations.doctoring.findings import Finding, Status
from argo_retention.operations.probing import probe_bucket
from argo_retention.operations.site import Installation
from argo_retention_tests.fakes.archive import FakeArchive
from argo_retention_tests.fakes.cluster import FakeCluster
from argo_retention_tests.fakes.log_store import FakeLogStore

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class ArchiveOfFacts(FakeArchive):
    """An archive whose facts a test changes."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[str, object] = {}

    def facts(self) -> DatabaseFacts:
        return replace(super().facts(), now=NOW, **self.changes)  # type: ignore[arg-type]


class Practice:
    """Fakes for every server, which doctor reaches through its instruments."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(now=NOW)
        self.archive = ArchiveOfFacts()
        self.store = FakeLogStore(now=NOW)
        self.environment: Mapping[str, str] = {}
        self.targets: list[DatabaseTarget] = []
        self.now = NOW
        self.moved: Sequence[str] | ArgoRetentionError = ()

    def examine(self, **settings: object) -> list[Finding]:
        """Findings of one cluster with these settings."""
        return self.examine_all(Settings.model_validate({"clusters": {"prod": settings}}))

    def examine_all(self, settings: Settings) -> list[Finding]:
        instruments = Instruments(
            connect=self._connect,
            open_archive=self._open_archive,
            open_log_store=self._open_log_store,
            probe=probe_bucket,
            conflicts=self._conflicts,
            environment=self.environment,
            clock=lambda: self.now,
        )
        return list(examine(settings, list(settings.clusters), instruments))

    def _conflicts(self, _name: str) -> Sequence[str]:
        if isinstance(self.moved, ArgoRetentionError):
            raise self.moved
        return self.moved

    def _connect(self, _settings: ClusterSettings, _name: str) -> Cluster:
        return self.cluster

    def _open_archive(
        self, target: DatabaseTarget, _installation: Installation | None
    ) -> AbstractContextManager[Archive]:
        self.targets.append(target)
        return nullcontext(self.archive)

    def _open_log_store(
        self, _location: S3Location, _credentials: S3Credentials | None
    ) -> LogStore:
        return self.store


def finding(findings: list[Finding], check: str) -> Finding:
    """The one finding of a check."""
    [found] = [each for each in findings if each.check == check]
    return found


def of_status(findings: list[Finding], status: Status) -> list[str]:
    """Checks that ended so."""
    return [each.check for each in findings if each.status is status]
