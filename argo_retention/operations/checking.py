"""What has to hold of an installation, one property each with what was found; Dagster's checks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argo_retention.errors import (
    ArgoRetentionError,
    ClockSkewError,
    DatabaseError,
    DatabaseLostError,
    IdentityError,
)
from argo_retention.operations.guarding import check_clocks, check_database
from argo_retention.operations.identifying import check_identity
from argo_retention.operations.log_tasks import first_line
from argo_retention.operations.probing import probe_bucket
from argo_retention.operations.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One property: whether it holds, and the evidence."""

    passed: bool
    found: str
    asked: bool = True  # False: a server did not answer, so nothing is known


def belongs_together(site: Site) -> str:
    """Raise IdentityError where cluster, database and bucket do not belong together as they did."""
    check_identity(site)
    return "Cluster, database and bucket are those that were bound to each other."


def clocks_agree(site: Site) -> str:
    """Raise ClockSkewError where a clock is off by more than five minutes."""
    ours = site.clock()
    others = {
        "the API server": site.cluster.server_time(),
        "the database": site.archive.facts().now,
    }
    check_clocks(ours, others)
    worst = max(abs((ours - theirs).total_seconds()) for theirs in others.values())
    return f"API server, database and this host are at most {worst:.0f} s apart."


def tables_are_known(site: Site) -> str:
    """Raise DatabaseError where the archive cannot be written or its tables are not known."""
    facts = site.archive.facts()
    check_database(facts)
    return f"schema_version {facts.schema_version}, PostgreSQL {facts.server_version}, writable."


def bucket_works(site: Site) -> str:
    """Raise ObjectStoreError where the bucket of the logs does not take, give and delete an object."""
    installation = site.installation
    repository = installation.repository
    if repository is None or repository.s3 is None:
        return "Argo's ConfigMap names no S3 bucket for logs."
    store = site.log_stores.of(repository.s3, namespace=installation.controller_namespace)
    facts = probe_bucket(store)
    if not (facts.can_write and facts.can_read and facts.can_delete):
        raise BucketRefusedError(facts.message)
    return f"An object was written, read and deleted in bucket {facts.bucket}."


class BucketRefusedError(ArgoRetentionError):
    """The bucket answered, and refused."""


#: What says that the property does not hold; any other error says that it could not be asked.
_VERDICTS = (IdentityError, ClockSkewError, DatabaseError, BucketRefusedError)

PROPERTIES: Mapping[str, Callable[[Site], str]] = {
    "cluster_database_and_bucket_belong_together": belongs_together,
    "clocks_agree": clocks_agree,
    "argos_tables_are_known_and_writable": tables_are_known,
    "the_bucket_takes_and_gives_objects": bucket_works,
}


def look_at(site: Site, name: str) -> Health:
    """One property of `PROPERTIES`. A server that does not answer is no verdict, and no exception."""
    try:
        return Health(passed=True, found=PROPERTIES[name](site))
    except ArgoRetentionError as error:
        is_verdict = isinstance(error, _VERDICTS) and not isinstance(error, DatabaseLostError)
        return Health(
            passed=False, found=str(error) if is_verdict else first_line(error), asked=is_verdict
        )
