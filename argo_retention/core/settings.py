"""retention.yaml: which clusters there are, and what Argo's own configuration cannot say.

Everything that Argo knows (database, bucket, TTL) is read from Argo's ConfigMap; this file names clusters,
adds rules and overrides. Its JSON Schema is `retention.schema.json` beside this module.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from argo_retention.core.durations import parse_ttl
from argo_retention.core.selectors import LabelSelector
from argo_retention.errors import ConfigurationError


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    try:
        span = parse_ttl(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    if span < timedelta(0):
        raise ValueError("expected a duration that is not negative, such as 7d")
    return span


def _selector(value: str) -> str:
    try:
        LabelSelector.parse(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": "^[0-9]+[dhms]$"}, {"enum": [0, "0", ""]}],
            "description": "An integer with d, h, m or s, as Argo's archiveTTL; 0 is none.",
        }
    ),
]
Count = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]
SaveLogs = Literal["argo", "all", "none"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetentionPolicySettings(_Model):
    """Argo's retentionPolicy. A key left out keeps everything of that phase (in Argo it is 0)."""

    completed: Count | None = Field(None, description="How many Succeeded workflows to keep.")
    failed: Count | None = Field(None, description="How many Failed workflows to keep.")
    errored: Count | None = Field(None, description="How many Error workflows to keep.")


class ArgoOverrides(_Model):
    """Where Argo is, and keys of its ConfigMap that win when they are written here."""

    namespace: str | None = Field(
        None, description="Namespace of the controller; looked for when left out."
    )
    configMap: str | None = Field(  # noqa: N815  spelled as in Argo
        None,
        description="Name of the controller's ConfigMap; from the server's argument when left out.",
    )
    retentionPolicy: RetentionPolicySettings | None = Field(  # noqa: N815
        None, description="Replaces Argo's retentionPolicy as a whole."
    )
    archiveTTL: Duration | None = Field(  # noqa: N815
        None, description="Replaces Argo's archiveTTL; 0 never expires."
    )


class MatchSettings(_Model):
    """What a rule speaks of; everything that is set must match."""

    namespaces: tuple[str, ...] = Field((), description="Names or shell patterns, e.g. ci-*.")
    selector: Annotated[str, BeforeValidator(_selector)] | None = Field(
        None, description="Label selector as kubectl -l takes it."
    )
    phases: tuple[Literal["Succeeded", "Failed", "Error"], ...] = Field(
        (), description="Completed phases; all when left out."
    )
    template: str | None = Field(
        None, description="Name or pattern of the template or CronWorkflow it came from."
    )


class KeepSettings(_Model):
    """Conditions in restic's words; each that holds keeps. No condition keeps everything."""

    last: Count | None = Field(None, description="The newest n of each group, by creation.")
    within: Duration | None = Field(None, description="Those that finished less than this ago.")
    hourly: Count | None = Field(None, description="The newest of each of the latest n hours.")
    daily: Count | None = Field(None, description="The newest of each of the latest n days.")
    weekly: Count | None = Field(None, description="The newest of each of the latest n weeks.")
    monthly: Count | None = Field(None, description="The newest of each of the latest n months.")
    yearly: Count | None = Field(None, description="The newest of each of the latest n years.")


class RuleArchiveSettings(_Model):
    """The archive row of what a rule matches."""

    ttl: Duration | None = Field(None, description="TTL of the row and its logs; 0 never expires.")


class RuleLogsSettings(_Model):
    """The logs of what a rule matches."""

    save: SaveLogs | None = Field(None, description="Overrides logs.save.")


class RuleSettings(_Model):
    """One rule; the first that matches a workflow decides."""

    name: str = Field(min_length=1, description="Name that plans and the ledger show.")
    match: MatchSettings = Field(MatchSettings(), description="What the rule speaks of.")
    group_by: tuple[str, ...] = Field(
        (), description="namespace, template, phase, or label:KEY; the counts hold for each group."
    )
    keep: KeepSettings | None = Field(None, description="Left out or empty keeps everything.")
    archive: RuleArchiveSettings = Field(RuleArchiveSettings(), description="Its archive rows.")
    logs: RuleLogsSettings = Field(RuleLogsSettings(), description="Its logs.")

    @field_validator("group_by")
    @classmethod
    def _known_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if word not in {"namespace", "template", "phase"} and not word.startswith("label:"):
                raise ValueError(
                    f"expected namespace, template, phase or label:KEY, found {word!r}"
                )
        return words


class BrakesSettings(_Model):
    """Limits on one run."""

    max_deletions: Count = Field(5000, description="Cuts a run: the oldest go, the others wait.")
    max_share: float = Field(
        0.9,
        ge=0,
        le=1,
        strict=True,
        description="Refuses a run that would delete more of the finished ones.",
    )
    max_drop: float = Field(
        0.5,
        ge=0,
        le=1,
        strict=True,
        description="Refuses a run when the live count fell by more than this.",
    )
    per_second: float = Field(200, gt=0, strict=True, description="DELETE requests a second.")


class RetentionSettings(_Model):
    """How deletions are done."""

    mode: Literal["observe", "apply"] = Field(
        "observe", description="observe only says what it would delete; apply deletes."
    )
    proof_age: Duration = Field(
        timedelta(minutes=10), description="How old a proof must be before its workflow may go."
    )
    plan_max_age: Duration = Field(
        timedelta(hours=24), description="A plan older than this is refused."
    )
    undo: Duration = Field(
        timedelta(days=14),
        description="How long rows of deleted workflows are kept outside the database; 0: not.",
    )


class ArchiveSettings(_Model):
    """What goes into the archive."""

    select: Literal["all", "argo"] = Field(
        "all", description="argo: only what Argo's archiveLabelSelector matches."
    )
    pending_grace: Duration = Field(
        timedelta(minutes=10), description="How long Argo's own queue is left to Argo."
    )
    late_after: Duration = Field(
        timedelta(hours=1),
        description="A check fails when the last archive run is older; 0: never.",
    )


class LogsSettings(_Model):
    """Which logs are saved."""

    save: SaveLogs = Field("argo", description="argo: what archiveLogs says; all; none.")
    parallel: int = Field(
        32, ge=1, le=256, strict=True, description="Pod logs read at the same time."
    )


class BucketSettings(_Model):
    """The bucket of the logs."""

    exclusive: bool = Field(False, description="true: nobody outside this database writes into it.")


class ExpirySettings(_Model):
    """How rows and logs expire."""

    while_live: Literal["keep", "expire"] = Field(
        "keep", description="expire: as Argo does, also while the workflow is in the cluster."
    )
    vanished_grace: Duration = Field(
        timedelta(days=7), description="How long logs outlive a row that somebody else removed."
    )
    undo: Duration = Field(
        timedelta(0), description="How long expired rows are kept outside the database; 0: not."
    )
    undo_logs: bool = Field(False, description="Their log objects are kept so, too.")

    @model_validator(mode="after")
    def _for_how_long(self) -> Self:
        if self.undo_logs and not self.undo:
            raise ValueError("expected expiry.undo beside expiry.undo_logs, for example 14d")
        return self


class DatabaseSettings(_Model):
    """Where the archive is, when not where Argo's ConfigMap says."""

    url_env: str | None = Field(
        None, description="Environment variable with postgresql://...; Argo's Secrets otherwise."
    )


class S3Settings(_Model):
    """How the bucket is reached, when not as Argo's ConfigMap says."""

    credentials: Literal["argo", "own"] = Field(
        "argo", description="own: the SDK's chain (environment, web identity, instance)."
    )
    endpoint: str | None = Field(None, description="host:port that replaces Argo's endpoint.")


class StorageSettings(_Model):
    """Where snapshots and plans are kept, and for how long."""

    uri: str | None = Field(
        None, description="s3:// or file://; default: argo-retention/ in the log bucket."
    )
    keep: Duration = Field(
        timedelta(days=30), description="How long snapshots and plans are kept; 0: for ever."
    )
    keep_ledger: Duration = Field(
        timedelta(days=400), description="How long the ledger remembers what is gone; 0: for ever."
    )
    keep_runs: Duration = Field(
        timedelta(0), description="How long Dagster remembers runs of our jobs; 0: for ever."
    )


class SchedulesSettings(_Model):
    """When the jobs run."""

    retention: str = Field("*/15 * * * *", description="Cron of the retention schedule.")
    expiry: str = Field("17 3 * * *", description="Cron of the expiry schedule.")
    time_zone: str = Field("UTC", description="Of both crons, such as Europe/Berlin.")


class SensorSettings(_Model):
    """When the sensor of finished workflows asks for an archive run."""

    min_batch: int = Field(
        10, ge=1, le=1000, strict=True, description="As soon as so many workflows wait."
    )
    max_wait: Duration = Field(
        timedelta(minutes=2), description="Or when one of them has waited so long."
    )
    interval: Duration = Field(timedelta(minutes=1), description="Between two looks, at least.")


class ClusterSettings(_Model):
    """One cluster, which is one partition."""

    kubeconfig: str | None = Field(None, description="File; in-cluster or KUBECONFIG otherwise.")
    context: str | None = Field(
        None, description="Context of the kubeconfig; its current one otherwise."
    )
    argo: ArgoOverrides = Field(ArgoOverrides(), description="Argo's place and overrides.")
    rules: tuple[RuleSettings, ...] = Field((), description="First match wins.")
    brakes: BrakesSettings = Field(BrakesSettings(), description="Limits on one run.")
    retention: RetentionSettings = Field(RetentionSettings(), description="How deletions are done.")
    archive: ArchiveSettings = Field(ArchiveSettings(), description="What goes into the archive.")
    logs: LogsSettings = Field(LogsSettings(), description="Which logs are saved.")
    bucket: BucketSettings = Field(BucketSettings(), description="The bucket of the logs.")
    expiry: ExpirySettings = Field(ExpirySettings(), description="How rows and logs expire.")
    database: DatabaseSettings = Field(DatabaseSettings(), description="Where the archive is.")
    s3: S3Settings = Field(S3Settings(), description="How the bucket is reached.")
    storage: StorageSettings = Field(StorageSettings(), description="Where plans are kept.")
    schedules: SchedulesSettings = Field(SchedulesSettings(), description="When the jobs run.")
    sensor: SensorSettings = Field(SensorSettings(), description="When finished ones are archived.")

    @field_validator("rules")
    @classmethod
    def _unique_names(cls, rules: tuple[RuleSettings, ...]) -> tuple[RuleSettings, ...]:
        names = [rule.name for rule in rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"expected each rule to have its own name, found {name!r} twice")
        return rules


class AlertsSettings(_Model):
    """Who is told of failed runs and checks."""

    webhook_env: str | None = Field(
        None, description="Environment variable with a webhook's URL (it takes Slack's JSON)."
    )


def _check_owner(owner: str) -> str:
    name = owner.removeprefix("team:")
    if name == owner and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", owner):
        raise ValueError(f"expected an e-mail address or team:NAME, found {owner!r}")
    if not name:
        raise ValueError("expected a name after team:")
    return owner


class Settings(_Model):
    """The whole file. `defaults` holds for every cluster; a cluster's own keys win."""

    executor: Literal["in_process", "k8s_job"] = Field(
        "in_process",
        description="Where steps run: in the process of their run, or each as a Kubernetes Job.",
    )
    owners: tuple[Annotated[str, AfterValidator(_check_owner)], ...] = Field(
        (), description="Owners of the assets in Dagster: e-mail addresses or team:NAME."
    )
    alerts: AlertsSettings = Field(AlertsSettings(), description="Who is told of what fails.")
    defaults: dict[str, Any] = Field({}, description="Keys of a cluster that hold for all of them.")
    clusters: dict[
        Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")], ClusterSettings
    ] = Field(min_length=1, description="Name of the partition → its settings.")
