"""Everything that an operator may get wrong: how each is brought about, and the command that meets it."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
import pytest

from argo_retention.demo.postgres_server import PostgresServer
from argo_retention_tests.cli.operators_world import NOBODY, POWERLESS, OperatorsWorld

WRONG_PASSWORD, WRONG_S3_KEY = "wrong-password-8d1e", "wrong-s3-key-90ab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a case may use."""

    world: OperatorsWorld
    database: str  # URL of a database with Argo's tables, which nobody changes
    bucket: str
    postgres: PostgresServer
    argo_template: str
    monkeypatch: pytest.MonkeyPatch

    def changed_database(self, name: str, *statements: str) -> str:
        """A database of one's own, whose tables were changed."""
        url = self.postgres.create_database(name, template=self.argo_template)
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]
        return url


def mistake(text: str) -> Callable[[Scene, str], Sequence[str]]:
    """A settings file of this text."""

    def prepare(scene: Scene, name: str) -> Sequence[str]:
        return ["doctor", "--config", str(scene.world.write(name, text))]

    return prepare


def adopt(scene: Scene, name: str, *options: str, **settings: object) -> Sequence[str]:
    path = scene.world.settings(name, **settings)  # type: ignore[arg-type]
    return ["adopt", "--config", str(path), *options]


def doctor(scene: Scene, name: str, **settings: object) -> Sequence[str]:
    path = scene.world.settings(name, **settings)  # type: ignore[arg-type]
    return ["doctor", "--json", "--config", str(path)]


def installed(scene: Scene, name: str, **changes: object) -> None:
    given = {"database": scene.database, "bucket": scene.bucket, **changes}
    scene.world.install(name, **given)  # type: ignore[arg-type]


# -- retention.yaml and the command line ----------------------------------------------------------------


def settings_file_missing(scene: Scene, name: str) -> Sequence[str]:
    return ["doctor", "--config", str(scene.world.folder / "nowhere.yaml")]


def unknown_cluster(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name, "--cluster", "produktion")


def no_cluster_chosen(scene: Scene, name: str) -> Sequence[str]:
    path = scene.world.write(name, "clusters:\n  prod: {}\n  staging: {}\n")
    return ["adopt", "--config", str(path)]


def kubeconfig_missing(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name, kubeconfig=str(scene.world.folder / "no-kubeconfig"))


def unknown_context(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name, context="produktion")


# -- the Kubernetes API and Argo's configuration --------------------------------------------------------


def unreachable_api(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name, url=f"http://127.0.0.1:{closed_port()}")


def wrong_token(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name, token=NOBODY)


def missing_right(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name, token=POWERLESS)


def broken_yaml_in_configmap(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, data={"persistence": "archive: true\npostgresql:\n  host: a: b\n"})
    return adopt(scene, name)


def wrong_unit_in_configmap(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, data={"persistence": "archive: true\narchiveTTL: 6 months\n"})
    return adopt(scene, name)


def configmap_missing(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    return adopt(scene, name, argo={"namespace": name, "configMap": "argo-config"})


def no_deployment(scene: Scene, name: str) -> Sequence[str]:
    return adopt(scene, name)


def several_configmaps(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    scene.world.put_deployment(
        name, "second-controller", image="workflow-controller", args=["--configmap=second"]
    )
    return adopt(scene, name)


def rights_missing(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    return doctor(scene, name, token=POWERLESS)


# -- Secrets, database ----------------------------------------------------------------------------------


def database_secret_missing(scene: Scene, name: str) -> Sequence[str]:
    persistence = (
        "archive: true\npostgresql:\n  host: db\n  database: argo\n  tableName: argo_workflows\n"
        "  userNameSecret: {name: postgres, key: username}\n"
        "  passwordSecret: {name: postgres, key: password}\n"
    )
    installed(scene, name, data={"persistence": persistence})
    return doctor(scene, name)


def database_secret_key_missing(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, database_secret={"user": "argo", "password": WRONG_PASSWORD})
    return doctor(scene, name)


def database_not_postgresql(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, data={"persistence": "archive: true\nmysql: {host: db}\n"})
    return doctor(scene, name)


def wrong_database_password(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, database_secret={"username": "postgres", "password": WRONG_PASSWORD})
    return doctor(scene, name)


def database_unreachable(scene: Scene, name: str) -> Sequence[str]:
    url = f"postgresql://argo:{WRONG_PASSWORD}@127.0.0.1:{closed_port()}/argo"
    installed(scene, name, database=url)
    return doctor(scene, name)


def database_url_not_set(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    return doctor(scene, name, database={"url_env": "ARCHIVE_URL"})


def database_url_wrong(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    scene.monkeypatch.setenv("ARCHIVE_URL", f"mysql://argo:{WRONG_PASSWORD}@db/argo")
    return doctor(scene, name, database={"url_env": "ARCHIVE_URL"})


def database_url_in_the_settings(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    return doctor(scene, name, database={"url_env": f"postgresql://argo:{WRONG_PASSWORD}@db/argo"})


def database_missing_right(scene: Scene, name: str) -> Sequence[str]:
    url = scene.changed_database(
        "foreigner",
        f"CREATE ROLE argo_reader LOGIN PASSWORD '{WRONG_PASSWORD}'",
        "GRANT SELECT ON argo_archived_workflows TO argo_reader",
    )
    reader = {"username": "argo_reader", "password": WRONG_PASSWORD}
    installed(scene, name, database=url, database_secret=reader)
    return doctor(scene, name)


def database_missing(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, database=scene.database.rpartition("/")[0] + "/argo_workflow")
    return doctor(scene, name)


def database_without_tables(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, database=scene.database.rpartition("/")[0] + "/postgres")
    return doctor(scene, name)


def unknown_schema_version(scene: Scene, name: str) -> Sequence[str]:
    url = scene.changed_database("newer", "UPDATE schema_history SET schema_version = 99")
    installed(scene, name, database=url)
    return doctor(scene, name)


def database_read_only(scene: Scene, name: str) -> Sequence[str]:
    url = scene.changed_database(
        "standby", "ALTER DATABASE standby SET default_transaction_read_only = on"
    )
    installed(scene, name, database=url)
    return doctor(scene, name)


# -- bucket ---------------------------------------------------------------------------------------------


def bucket_missing(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, bucket="no-such-bucket")
    return doctor(scene, name)


def bucket_unreachable(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    return doctor(scene, name, s3={"endpoint": f"127.0.0.1:{closed_port()}"})


def wrong_s3_keys(scene: Scene, name: str) -> Sequence[str]:
    keys = {"accesskey": scene.world.s3.access_key, "secretkey": WRONG_S3_KEY}
    installed(scene, name, s3_secret=keys)
    return doctor(scene, name)


def s3_secret_key_missing(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name, s3_secret={"accessKey": "A", "secretKey": WRONG_S3_KEY})
    return doctor(scene, name)


# -- workflows ------------------------------------------------------------------------------------------


def no_such_workflow(scene: Scene, name: str) -> Sequence[str]:
    installed(scene, name)
    return ["explain", "team-a/gone", "--config", str(scene.world.settings(name))]


CASES = {
    "settings-unknown-key": mistake("clusters:\n  prod:\n    brakes:\n      max_deletion: 5\n"),
    "settings-wrong-unit": mistake("clusters:\n  prod:\n    argo:\n      archiveTTL: 6 months\n"),
    "settings-wrong-type": mistake("clusters:\n  prod:\n    logs: {parallel: many}\n"),
    "settings-wrong-word": mistake("clusters:\n  prod:\n    retention: {mode: delete}\n"),
    "settings-wrong-selector": mistake(
        "clusters:\n  prod:\n    rules:\n      - name: a\n        match: {selector: 'team='}\n"
        "      - name: b\n        match: {selector: 'team in'}\n"
    ),
    "settings-wrong-in-defaults": mistake("defaults:\n  mode: apply\nclusters:\n  prod: {}\n"),
    "settings-no-cluster": mistake("clusters: {}\n"),
    "settings-not-yaml": mistake("clusters:\n  prod:\n    argo: {namespace: argo\n"),
    "settings-empty": mistake(""),
    "settings-missing": settings_file_missing,
    "cluster-unknown": unknown_cluster,
    "cluster-not-chosen": no_cluster_chosen,
    "kubeconfig-missing": kubeconfig_missing,
    "kubeconfig-unknown-context": unknown_context,
    "api-unreachable": unreachable_api,
    "api-wrong-token": wrong_token,
    "api-missing-right": missing_right,
    "api-missing-rights": rights_missing,
    "configmap-not-yaml": broken_yaml_in_configmap,
    "configmap-wrong-unit": wrong_unit_in_configmap,
    "configmap-missing": configmap_missing,
    "argo-not-found": no_deployment,
    "argo-several-configmaps": several_configmaps,
    "database-secret-missing": database_secret_missing,
    "database-secret-key-missing": database_secret_key_missing,
    "database-not-postgresql": database_not_postgresql,
    "database-wrong-password": wrong_database_password,
    "database-unreachable": database_unreachable,
    "database-url-not-set": database_url_not_set,
    "database-url-wrong": database_url_wrong,
    "database-url-in-the-settings": database_url_in_the_settings,
    "database-missing-right": database_missing_right,
    "database-missing": database_missing,
    "database-without-tables": database_without_tables,
    "database-unknown-schema-version": unknown_schema_version,
    "database-read-only": database_read_only,
    "bucket-missing": bucket_missing,
    "bucket-unreachable": bucket_unreachable,
    "bucket-wrong-keys": wrong_s3_keys,
    "bucket-secret-key-missing": s3_secret_key_missing,
    "workflow-unknown": no_such_workflow,
}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
