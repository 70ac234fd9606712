"""One emulated cluster on the shared PostgreSQL and S3, with its own database and bucket: the whole job runs here."""

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import psycopg
import urllib3
import yaml
from psycopg.rows import dict_row

from argo_retention.adapters.object_files import ObjectFiles, open_bucket
from argo_retention.cli.executing import RunOutcome, run_job
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.identities import identify
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.core.settings import Settings
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.jobs import ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.demo.scenes import seed
from argo_retention.demo.scenes.installation import NAMESPACE
from argo_retention.demo.scenes.loading import load_objects, load_rows, write_state
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention.operations.site import Progress, no_progress
from argo_retention.snapshots import load_snapshot

WORKFLOWS = "/apis/argoproj.io/v1alpha1/workflows"
BY_WHOM = "the tests"
JOBS = (ARCHIVE_JOB, RETENTION_JOB, EXPIRY_JOB)
#: Snapshots and plans are kept below it, in the bucket of the logs.
OUR_FILES = "argo-retention/"


def utc_now() -> datetime:
    return datetime.now(tz=UTC)


def later(**span: float) -> Any:
    """A clock that is ahead by so much."""
    return lambda: utc_now() + timedelta(**span)


@dataclass(kw_only=True)
class World:
    """A scene on real servers."""

    scene: Scene = field(repr=False)
    dsn: str = field(repr=False)
    s3: S3Address
    instance: dg.DagsterInstance = field(repr=False)
    kubeconfig: Path
    url: str
    ca_file: str = ""  # of an https server
    overrides: dict[str, Any] = field(default_factory=dict)
    opened: dict[str, ObjectFiles] = field(default_factory=dict, repr=False)

    # -- running ------------------------------------------------------------------------------------------

    @property
    def settings_text(self) -> str:
        cluster = {"kubeconfig": str(self.kubeconfig), **self.scene.settings}
        return yaml.safe_dump({"clusters": {self.scene.name: merged(cluster, self.overrides)}})

    @property
    def settings(self) -> Settings:
        return parse_settings(self.settings_text, source="retention.yaml")

    def run(
        self, job: str, *, progress: Progress = no_progress, clock: Any = utc_now, **options: Any
    ) -> RunOutcome:
        return run_job(
            self.settings,
            job=job,
            cluster=self.scene.name,
            instance=self.instance,
            progress=progress,
            by_whom=BY_WHOM,
            clock=clock,
            **options,
        )

    def succeed(self, job: str, **options: Any) -> RunOutcome:
        """Run a job that must not fail."""
        outcome = self.run(job, **options)
        assert outcome.success, outcome.failure
        return outcome

    # -- the cluster --------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request of an administrator's."""
        answer = self._send(method, path, None if body is None else json.dumps(body).encode())
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.data[:500]!r}"
        return json.loads(answer.data)

    def _send(self, method: str, path: str, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self.scene.admin_token}", "Content-Type": kind}
        with urllib3.PoolManager(ca_certs=self.ca_file or None) as http:
            return http.request(method, f"{self.url}{path}", body=body, headers=headers)

    def post_raw(self, path: str, body: bytes) -> dict[str, Any] | None:
        """Make an object from these very bytes; None where the server refuses them as bad."""
        answer = self._send("POST", path, body)
        if answer.status in {400, 413, 422}:
            return None
        assert answer.status < 300, f"POST {path}: {answer.status} {answer.data[:500]!r}"
        made: dict[str, Any] = msgspec.json.decode(answer.data)
        return made

    def raw_live(self) -> dict[str, bytes]:
        """uid → the bytes of the workflow."""
        answer = self._send("GET", WORKFLOWS)
        items = msgspec.json.decode(answer.data, type=dict[str, msgspec.Raw])["items"]
        bodies = [bytes(each) for each in msgspec.json.decode(items, type=list[msgspec.Raw])]
        return {identify(body).uid: body for body in bodies}

    def row_text(self, uid: str) -> bytes:
        """The JSON of a row, as its text."""
        [row] = self.query(
            "SELECT workflow::text AS workflow FROM argo_archived_workflows WHERE uid = %s", uid
        )
        return str(row["workflow"]).encode()

    def live(self) -> dict[str, dict[str, Any]]:
        """uid → workflow."""
        items = self.ask("GET", WORKFLOWS)["items"]
        return {item["metadata"]["uid"]: item for item in items}

    def live_names(self) -> set[str]:
        return {workflow["metadata"]["name"] for workflow in self.live().values()}

    def delete(self, workflow: Mapping[str, Any]) -> None:
        """As a person would with kubectl."""
        self.ask("DELETE", workflow_path(workflow))

    def annotate(self, path: str, annotations: Mapping[str, str]) -> None:
        self.ask("PATCH", path, {"metadata": {"annotations": dict(annotations)}})

    def fault(self, **fault: Any) -> None:
        """The API fails like this from now on."""
        self.ask("POST", "/emulator/faults", fault)

    def mend(self) -> None:
        self.ask("DELETE", "/emulator/faults")

    # -- the database -------------------------------------------------------------------------------------

    def query(self, statement: Any, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()

    def execute(self, statement: Any, *parameters: Any) -> int:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement, parameters).rowcount

    def rows(self) -> dict[str, dict[str, Any]]:
        """uid → archive row of this clusterName, its workflow parsed."""
        found = self.query(
            "SELECT * FROM argo_archived_workflows WHERE clustername = %s", self.scene.clustername
        )
        return {row["uid"]: row for row in found}

    def labels(self) -> dict[str, dict[str, str]]:
        """uid → labels of the row."""
        found: dict[str, dict[str, str]] = {}
        for row in self.query(
            "SELECT * FROM argo_archived_workflows_labels WHERE clustername = %s",
            self.scene.clustername,
        ):
            found.setdefault(row["uid"], {})[row["name"]] = row["value"]
        return found

    def ledger(self, table: str) -> list[dict[str, Any]]:
        """All of one of our tables, of this clusterName."""
        name = psycopg.sql.Identifier("argo_retention", table)
        query = psycopg.sql.SQL("SELECT * FROM {} WHERE clustername = %s").format(name)
        return self.query(query, self.scene.clustername)

    def forget_the_dead(self) -> None:
        """Let a minute pass for the lease: nobody has renewed it since."""
        if self.query("SELECT to_regclass('argo_retention.leases') IS NOT NULL AS made")[0]["made"]:
            self.execute(
                "UPDATE argo_retention.leases SET heartbeat = heartbeat - interval '61 seconds'"
            )

    def decisions(self, outcome: RunOutcome, plan: str) -> dict[str, dict[str, Any]]:
        """uid → what the plan of this run says of it, from its Parquet file."""
        uri = str(outcome.assets[plan]["dagster/uri"])
        frame = load_snapshot(
            uri, endpoint=self.s3.endpoint, insecure=True, credentials=credentials_of(self.s3)
        )
        return {row["uid"]: row for row in frame.to_dict("records")}

    # -- the buckets --------------------------------------------------------------------------------------

    def files(self, bucket: str = "") -> ObjectFiles:
        bucket = bucket or self.scene.buckets[0]
        if bucket not in self.opened:
            location = S3Location(endpoint=self.s3.endpoint, bucket=bucket)
            self.opened[bucket] = open_bucket(location, credentials_of(self.s3))
        return self.opened[bucket]

    def objects(self) -> set[tuple[str, str]]:
        """(bucket, key) of all objects, without our snapshots and plans."""
        return {
            (bucket, key)
            for bucket in self.scene.buckets
            for key in self.files(bucket).keys("")
            if not key.startswith(OUR_FILES)
        }

    def body(self, bucket: str, key: str) -> bytes | None:
        found = self.files(bucket).get(key)
        return None if found is None else bytes(found)


def credentials_of(s3: S3Address) -> S3Credentials:
    return S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key, session_token=None)


def workflow_path(workflow: Mapping[str, Any]) -> str:
    metadata = workflow["metadata"]
    return f"/apis/argoproj.io/v1alpha1/namespaces/{metadata['namespace']}/workflows/{metadata['name']}"


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` put in, maps into maps."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def replaced(scene: Scene, texts: Mapping[str, str]) -> Scene:
    """The scene with these texts replaced wherever they stand in its objects and its buckets."""
    body = msgspec.json.encode(scene.objects).decode()
    for old, new in texts.items():
        body = body.replace(old, new)
    return Scene(
        **{
            **{name: getattr(scene, name) for name in scene.__dataclass_fields__},
            "objects": msgspec.json.decode(body),
            "buckets": tuple(texts.get(bucket, bucket) for bucket in scene.buckets),
        }
    )


@dataclass(frozen=True, kw_only=True)
class Servers:
    """What all worlds share."""

    postgres: PostgresServer
    s3: S3Server
    template: str  # database with Argo's empty tables

    @property
    def s3_address(self) -> S3Address:
        s3 = self.s3
        return S3Address(endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key)

    def postgres_address(self, database: str, *, port: int = 0) -> PostgresAddress:
        postgres = self.postgres
        return PostgresAddress(
            host=postgres.host,
            port=port or postgres.port,
            database=database,
            user=postgres.user,
            password=postgres.password,
        )

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Name of a new database with Argo's empty tables."""
        name = f"argo_{uuid.uuid4().hex}"
        self.postgres.create_database(name, template=self.template)
        try:
            yield name
        finally:
            self.postgres.drop_database(name)

    @contextlib.contextmanager
    def worlds(
        self, scenes: Sequence[Scene], *, database: str, folder: Path
    ) -> Iterator[list[World]]:
        """Load the scenes; one world each, on one Dagster instance."""
        for bucket in {bucket for scene in scenes for bucket in scene.buckets}:
            self.s3.create_bucket(bucket)
        dsn = self.postgres.dsn(database)
        load_objects(self.s3_address, scenes)
        load_rows(dsn, scenes)
        with contextlib.ExitStack() as stack:
            instance = stack.enter_context(dg.DagsterInstance.ephemeral())
            yield [self.open_world(scene, dsn, instance, folder, stack) for scene in scenes]

    def open_world(
        self,
        scene: Scene,
        dsn: str,
        instance: dg.DagsterInstance,
        folder: Path,
        stack: contextlib.ExitStack,
    ) -> World:
        """The scene's cluster, emulated; subclasses put it elsewhere."""
        state = folder / scene.name
        write_state(state, scene)
        process = KubeApiProcess()
        stack.callback(process.stop)
        process.start(state)
        return World(
            scene=scene,
            dsn=dsn,
            s3=self.s3_address,
            instance=instance,
            kubeconfig=write_kubeconfig(
                state / "kubeconfig",
                url=process.url,
                token=scene.token,
                cluster=scene.name,
                namespace=NAMESPACE,
            ),
            url=process.url,
        )


@contextlib.contextmanager
def seed_world(
    servers: Servers,
    folder: Path,
    *,
    hello_worlds: int = 6,
    keep_count: int = 2,
    texts: Mapping[str, str] | None = None,
    s3_port: int = 0,
    db_port: int = 0,
    **overrides: Any,
) -> Iterator[World]:
    """The demo's seed in a bucket of its own; `overrides` go into retention.yaml, `texts` into the objects."""
    address = servers.s3_address
    if s3_port:
        address = S3Address(
            endpoint=f"http://127.0.0.1:{s3_port}",
            access_key=address.access_key,
            secret_key=address.secret_key,
        )
    with servers.database() as database:
        scene = seed_scene(
            now=utc_now(),
            hello_worlds=hello_worlds,
            keep_count=keep_count,
            s3=address,
            postgres=servers.postgres_address(database, port=db_port),
        )
        bucket = f"{seed.BUCKET}-{uuid.uuid4().hex}"
        scene = replaced(scene, {seed.BUCKET: bucket, **(texts or {})})
        with servers.worlds([scene], database=database, folder=folder) as [world]:
            world.overrides = overrides
            yield world
