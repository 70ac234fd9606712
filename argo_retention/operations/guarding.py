"""What must be sound before anything is written or deleted: database, identity, clocks, bucket."""

from datetime import datetime, timedelta

from argo_retention.core.ledger import DatabaseFacts
from argo_retention.errors import ClockSkewError, DatabaseError
from argo_retention.operations.identifying import check_identity
from argo_retention.operations.site import Site

SUPPORTED_SCHEMA_VERSIONS = range(
    68, 69
)  # those whose tables our tests made from Argo's own schema
UNREADABLE_VERSION = "SELECT on schema_history"  # as DatabaseFacts.missing_rights says it
MAX_CLOCK_SKEW = timedelta(minutes=5)


def check_sound(site: Site, *, deletes: bool) -> DatabaseFacts:
    """Raise unless the database may be written, nobody moved and all clocks agree.

    The bucket is tried for deletions. Raises DatabaseError, IdentityError, ClockSkewError, ObjectStoreError
    or ClusterError; nothing was changed then.
    """
    facts = site.archive.facts()
    check_database(facts)
    check_identity(site)
    clocks = {"the API server": site.cluster.server_time(), "the database": facts.now}
    installation = site.installation
    repository = installation.repository
    if deletes and repository is not None and repository.s3 is not None:
        store = site.log_stores.of(repository.s3, namespace=installation.controller_namespace)
        clocks[f"the bucket {store.bucket}"] = store.server_time()
    check_clocks(site.clock(), clocks)
    return facts


def check_database(facts: DatabaseFacts) -> None:
    """Refuse a database that cannot be written or whose tables are not known."""
    check_writable(facts)
    if UNREADABLE_VERSION not in facts.missing_rights:
        check_schema(facts)
    if facts.missing_rights:
        raise DatabaseError(
            f"The database user lacks: {', '.join(facts.missing_rights)}.\n"
            "`argo-retention doctor` prints the GRANT statements. Nothing was deleted."
        )


def check_writable(facts: DatabaseFacts) -> None:
    """Refuse a database that cannot be written."""
    if facts.is_read_only:
        raise DatabaseError(
            "The archive database is read-only (a standby, or default_transaction_read_only).\n"
            "Point Argo's ConfigMap, or database.url_env, at the primary. Nothing was deleted."
        )


def check_schema(facts: DatabaseFacts) -> None:
    """Refuse tables of Argo that are not there, or not known."""
    if facts.schema_version is None:
        raise DatabaseError(
            "The archive database has no table schema_history: Argo has not made its tables there.\n"
            "Start Argo's controller with persistence.archive once, or mend the database's name."
        )
    if facts.schema_version not in SUPPORTED_SCHEMA_VERSIONS:
        raise DatabaseError(
            f"Argo's tables are at schema_version {facts.schema_version}; this release knows "
            f"{', '.join(map(str, SUPPORTED_SCHEMA_VERSIONS))}.\n"
            "Nothing is written or deleted; use a release of argo_retention that knows it."
        )


def check_clocks(ours: datetime, others: dict[str, datetime]) -> None:
    """Refuse when a clock is off by more than five minutes: every age would be wrong."""
    for name, theirs in others.items():
        skew = abs(ours - theirs)
        if skew > MAX_CLOCK_SKEW:
            raise ClockSkewError(
                f"The clock of {name} says {theirs:%Y-%m-%d %H:%M:%SZ}, ours says "
                f"{ours:%Y-%m-%d %H:%M:%SZ}: {int(skew.total_seconds())} s apart, 300 s are allowed.\n"
                "Set the clocks (NTP) and run again. Nothing was deleted."
            )
