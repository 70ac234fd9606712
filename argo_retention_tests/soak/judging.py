"""What is there at the end of a soak, against what was made: nothing lost, orphaned, half or unexplained."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from argo_retention.adapters.object_files import ObjectFiles, open_bucket
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.counting import count
from argo_retention.demo.servers import DemoServers
from argo_retention_tests.e2e.oracle import ENDED, LEFT, artifacts_of
from argo_retention_tests.soak.installation import BUCKET, CLUSTER
from argo_retention_tests.soak.traffic import Made

OURS = "argo-retention/"


@dataclass(kw_only=True)
class Judgement:
    """Names of what is wrong, by kind, and what there is."""

    lost: list[str] = field(default_factory=list)
    orphan: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.orphan or self.half or self.unexplained or self.leaks)


def judge(servers: DemoServers, made: Mapping[str, Made]) -> Judgement:
    """Look at cluster, database and bucket; nothing of ours may run any more."""
    judgement = Judgement()
    counted = count(servers.clusters[CLUSTER], archive_dsn=servers.archive_dsn, clustername=CLUSTER)
    rows = {row["uid"]: row for row in query(servers, "SELECT * FROM argo_archived_workflows")}
    logs = query(servers, "SELECT * FROM argo_retention.log_objects")
    units = {u["uid"]: u for u in query(servers, "SELECT * FROM argo_retention.expiry_units")}
    deletions: dict[str, list[str]] = {}
    for each in query(servers, "SELECT uid, name, outcome FROM argo_retention.deletions"):
        deletions.setdefault(each["uid"], []).append(each["outcome"])
        if each["outcome"] == "intended":
            judgement.half.append(f"the deletion of {each['name']} is open")
    bucket = bucket_of(servers)
    keys = set(bucket.keys(""))
    stored = {log["uid"]: log for log in logs if log["state"] == "stored"}

    for uid, one in made.items():
        unit = units.get(uid)
        expired = unit is not None and unit["stage"] in ENDED and bool(unit["reason"])
        if uid not in counted.live:
            if not set(deletions.get(uid, ())) & set(LEFT):
                judgement.unexplained.append(f"{one.name} left the cluster: {deletions.get(uid)}")
            if uid not in rows and not expired:
                judgement.lost.append(f"{one.name} is neither in the cluster nor in the archive")
        if uid in rows:
            _look_at_row(one, rows[uid], stored.get(uid), keys, judgement)
        if expired and uid in rows:
            judgement.half.append(f"{one.name} has expired and its row is there")
        if expired and uid in stored and stored[uid]["key"] in keys:
            judgement.half.append(f"{one.name} has expired and its log is there")
        if unit is not None and unit["stage"] not in ENDED:
            judgement.half.append(f"the unit of {one.name} stands at {unit['stage']}")
    judgement.half += [f"{log['key']} is begun" for log in logs if log["state"] == "intended"]
    _look_for_orphans(rows, logs, counted.live, keys, judgement)
    _compare_bodies(bucket, made, rows, stored, judgement)
    _look_for_leaks(servers, judgement)
    judgement.counts.update(
        {
            "made": len(made),
            "live": len(counted.live),
            "rows": len(rows),
            "expired": len(units),
            "log objects": len([key for key in keys if not key.startswith(OURS)]),
            "files of ours in the bucket": len([key for key in keys if key.startswith(OURS)]),
        }
    )
    [size] = query(servers, "SELECT pg_size_pretty(pg_database_size('argo')) AS size")
    judgement.sizes["database of the archive"] = size["size"]
    for row in query(
        servers,
        "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) AS size FROM pg_class"
        " WHERE relkind = 'r' AND relname !~ '^(pg|sql)_' ORDER BY pg_total_relation_size(oid) DESC LIMIT 6",
    ):
        judgement.sizes[f"table {row['relname']}"] = row["size"]
    return judgement


def _look_at_row(
    one: Made, row: Mapping[str, Any], log: Mapping[str, Any] | None, keys: set[str], j: Judgement
) -> None:
    workflow = row["workflow"]
    if workflow["status"]["phase"] != one.phase or one.node_id not in workflow["status"]["nodes"]:
        j.lost.append(f"the row of {one.name} is not what finished")
    if log is None:
        j.lost.append(f"the log of {one.name} is not stored")
    elif log["key"] not in keys:
        j.lost.append(f"the log of {one.name}, {log['key']}, is not in the bucket")


def _look_for_orphans(
    rows: Mapping[str, Any],
    logs: list[dict[str, Any]],
    live: Mapping[str, str],
    keys: set[str],
    judgement: Judgement,
) -> None:
    named = {key for row in rows.values() for _, key in artifacts_of(row["workflow"])}
    named |= {log["key"] for log in logs if log["uid"] in live or log["uid"] in rows}
    judgement.orphan += [
        f"{key} belongs to nobody" for key in keys if not key.startswith(OURS) and key not in named
    ]


def _compare_bodies(
    bucket: ObjectFiles,
    made: Mapping[str, Made],
    rows: Mapping[str, Any],
    stored: Mapping[str, Mapping[str, Any]],
    judgement: Judgement,
) -> None:
    """Each log of each row, read back and compared."""
    uids = [uid for uid in made if uid in rows and uid in stored]

    def differs(uid: str) -> str:
        body = bucket.get(stored[uid]["key"])
        if body is None or bytes(body).decode() != made[uid].log:
            return f"the log of {made[uid].name} holds something else"
        return ""

    with ThreadPoolExecutor(16) as pool:
        judgement.lost += [said for said in pool.map(differs, uids) if said]
    judgement.counts["logs read back and equal"] = len(uids) - len(
        [each for each in judgement.lost if "something else" in each]
    )


def _look_for_leaks(servers: DemoServers, judgement: Judgement) -> None:
    held = query(servers, "SELECT * FROM argo_retention.leases WHERE root_run <> ''")
    judgement.leaks += [f"the lease of {each['root_run']} is held" for each in held]
    sessions = query(
        servers,
        "SELECT pid, state FROM pg_stat_activity WHERE application_name LIKE 'argo-retention%'",
    )
    judgement.leaks += [f"session {each['pid']} of ours is {each['state']}" for each in sessions]
    temporary = servers.folder / "tmp"
    judgement.leaks += [
        f"{each.name} was left in the temporary folder" for each in _left(temporary)
    ]


def _left(folder: Any) -> list[Any]:
    return [each for each in folder.iterdir() if "argo" in each.name or each.suffix == ".parquet"]


def bucket_of(servers: DemoServers) -> ObjectFiles:
    s3 = servers.s3_address
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key, session_token=None)
    return open_bucket(S3Location(endpoint=s3.endpoint, bucket=BUCKET), keys)


def query(servers: DemoServers, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(servers.archive_dsn, row_factory=dict_row) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]
