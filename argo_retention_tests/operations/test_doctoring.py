from collections.abc import Mapping
from datetime import timedelta

import pytest
import yaml

from argo_retention.core.settings import Settings
from argo_retention.errors import (
    ArgoRetentionError,
    ClusterError,
    DatabaseError,
    IdentityError,
    ObjectStoreError,
)
from argo_retention.operations.doctoring.findings import Status, listed
from argo_retention_tests.operations.examined import Practice, finding, of_status
from argo_retention_tests.operations.installations import put_argo, put_secret


@pytest.fixture
def practice() -> Practice:
    """A sound installation."""
    made = Practice()
    put_argo(made.cluster)
    return made


def test_a_sound_installation_has_only_good_findings(practice: Practice) -> None:
    findings = practice.examine()

    assert {each.status for each in findings} == {Status.OK}
    assert not any(each.mend for each in findings)
    assert {each.cluster for each in findings} == {"prod"}


def test_nothing_is_left_behind_and_nothing_is_deleted(practice: Practice) -> None:
    practice.cluster.add_workflow("a")

    practice.examine(retention={"mode": "apply"})

    assert practice.store.objects == {}
    assert {call.method for call in practice.cluster.calls} == {
        "server_time",
        "list_objects",
        "get_object",
        "allowed",
    }


def test_no_secret_is_in_a_finding(practice: Practice) -> None:
    text = repr(practice.examine())

    assert "secret-password" not in text
    assert "secret-key" not in text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "mode observe: nothing is deleted; 0 rules"),
        (
            {"retention": {"mode": "apply"}, "rules": [{"name": "a"}]},
            "mode apply: runs delete what policy says; 1 rule",
        ),
    ],
)
def test_the_mode_is_said_first(
    practice: Practice, settings: Mapping[str, object], expected: str
) -> None:
    first = practice.examine(**settings)[0]

    assert (first.check, first.what) == ("settings", expected)


def test_what_an_installation_is_limited_to_is_said() -> None:
    practice = Practice()
    put_argo(practice.cluster, {"instanceID": "blue"}, args=["--managed-namespace", "team-a"])

    found = finding(practice.examine(), "Argo's configuration")

    assert found.what.endswith("clusterName default, instanceID blue, namespace team-a")


class TestWithoutTheApiServer:
    def test_nothing_that_depends_on_it_is_tried(self, practice: Practice) -> None:
        practice.cluster.fail("server_time", ClusterError("no route"))

        findings = practice.examine()

        assert of_status(findings, Status.FAILED) == ["Kubernetes API"]
        assert of_status(findings, Status.WARNING) == ["clocks", "not tried"]

    def test_a_database_of_the_environment_is_tried_all_the_same(self, practice: Practice) -> None:
        practice.cluster.fail("server_time", ClusterError("no route"))
        practice.environment = {"ARCHIVE_URL": "postgresql://me:pw@elsewhere:1/argo"}

        findings = practice.examine(database={"url_env": "ARCHIVE_URL"})

        assert finding(findings, "database").status is Status.OK
        assert [target.host for target in practice.targets] == ["elsewhere"]


class TestRights:
    def test_each_missing_verb_is_named_with_the_rule_that_mends_it(
        self, practice: Practice
    ) -> None:
        practice.cluster.deny("delete", "workflows")
        practice.cluster.deny("patch", "workflows")

        found = finding(practice.examine(), "right to workflows")

        assert found.status is Status.FAILED
        assert "may not patch, delete workflows.argoproj.io" in found.what
        assert yaml.safe_load(found.mend) == [
            {
                "apiGroups": ["argoproj.io"],
                "resources": ["workflows"],
                "verbs": ["patch", "delete"],
            }
        ]

    def test_what_only_doctor_reads_is_a_warning(self, practice: Practice) -> None:
        practice.cluster.deny("list", "cronworkflows")

        findings = practice.examine()

        assert of_status(findings, Status.FAILED) == []
        assert of_status(findings, Status.WARNING) == [
            "right to cronworkflows",
            "templates and CronWorkflows",
        ]

    def test_an_access_review_that_fails_ends_the_rights_and_nothing_else(
        self, practice: Practice
    ) -> None:
        practice.cluster.fail("allowed", ClusterError("503"), times=None)

        findings = practice.examine()

        assert of_status(findings, Status.FAILED) == ["rights"]
        assert finding(findings, "bucket").status is Status.OK

    def test_without_a_configuration_they_are_asked_for_the_whole_cluster(self) -> None:
        practice = Practice()

        findings = practice.examine(argo={"namespace": "argo"})

        assert of_status(findings, Status.FAILED) == ["Argo's configuration"]
        asked = practice.cluster.calls_of("allowed")
        assert {
            "verb": "list",
            "group": "argoproj.io",
            "resource": "workflows",
            "namespace": None,
        } in asked

    def test_a_managed_namespace_needs_a_role_there_and_one_at_home(self) -> None:
        practice = Practice()
        put_argo(practice.cluster, args=["--managed-namespace=team-a"])
        practice.cluster.deny("get", "secrets", namespace="argo")
        practice.cluster.deny("get", "pods", namespace="team-a")

        findings = practice.examine(s3={"credentials": "own"})

        pods = finding(findings, "right to pods")
        assert "a Role in namespace team-a, or of a ClusterRole" in pods.mend
        assert finding(findings, "right to secrets").status is Status.FAILED
        asked = practice.cluster.calls_of("allowed")
        places = {call["namespace"] for call in asked if call["resource"] == "configmaps"}
        assert places == {"team-a", "argo"}

    def test_secrets_are_not_asked_for_where_none_is_read(self, practice: Practice) -> None:
        practice.environment = {"ARCHIVE_URL": "postgresql://me:pw@elsewhere/argo"}

        findings = practice.examine(database={"url_env": "ARCHIVE_URL"}, s3={"credentials": "own"})

        assert "right to secrets" not in {each.check for each in findings}


class TestDatabase:
    def test_one_that_does_not_answer_is_said_in_its_own_words(self, practice: Practice) -> None:
        practice.archive.fail("facts", DatabaseError("PostgreSQL cannot be reached"))

        findings = practice.examine()

        assert finding(findings, "database").what == "PostgreSQL cannot be reached"
        assert of_status(findings, Status.FAILED) == ["database"]

    def test_a_missing_secret_is_said_and_the_bucket_still_tried(self, practice: Practice) -> None:
        practice.cluster.remove("Secret", "argo", "postgres")

        findings = practice.examine()

        assert "no Secret 'postgres'" in finding(findings, "database").what
        assert finding(findings, "bucket").status is Status.OK

    @pytest.mark.parametrize(
        ("changes", "check"),
        [
            ({"is_read_only": True}, "database is writable"),
            ({"schema_version": None}, "Argo's tables"),
            ({"schema_version": 61}, "Argo's tables"),
        ],
    )
    def test_what_runs_would_refuse_is_a_failure(
        self, practice: Practice, changes: Mapping[str, object], check: str
    ) -> None:
        practice.archive.changes = dict(changes)

        assert of_status(practice.examine(), Status.FAILED) == [check]

    def test_missing_rights_are_mended_by_grants(self, practice: Practice) -> None:
        practice.archive.changes = {
            "missing_rights": [
                "INSERT on argo_archived_workflows",
                "DELETE on argo_archived_workflows",
                'SELECT on odd"name',
                "SELECT on argo_workflows (there is no such table)",
                "schema argo_retention (USAGE on it, or CREATE on the database)",
                "something new",
            ]
        }

        found = finding(practice.examine(), "rights in the database")

        assert found.status is Status.FAILED
        assert found.mend.splitlines() == [
            'GRANT INSERT, DELETE ON "argo_archived_workflows" TO "argo";',
            'GRANT SELECT ON "odd""name" TO "argo";',
            "-- SELECT on argo_workflows (there is no such table): Argo's controller makes it",
            'GRANT CREATE ON DATABASE "argo" TO "argo";',
            "-- or, where the schema may not be made by argo:",
            '-- CREATE SCHEMA argo_retention AUTHORIZATION "argo";',
        ]

    def test_tables_that_are_not_there_are_said_once(self, practice: Practice) -> None:
        practice.archive.changes = {
            "schema_version": None,
            "missing_rights": ["SELECT on schema_history (there is no such table)"],
        }

        assert of_status(practice.examine(), Status.FAILED) == ["Argo's tables"]

    def test_a_version_that_may_not_be_read_is_not_called_absent(self, practice: Practice) -> None:
        practice.archive.changes = {
            "schema_version": None,
            "missing_rights": ["SELECT on schema_history"],
        }

        findings = practice.examine()

        assert "the right is missing" in finding(findings, "Argo's tables").what
        assert "GRANT SELECT" in finding(findings, "rights in the database").mend

    def test_our_tables_are_made_by_the_first_run(self, practice: Practice) -> None:
        practice.archive.changes = {"our_tables": False}

        assert of_status(practice.examine(), Status.WARNING) == ["our tables"]


def test_a_clock_that_is_off_is_a_failure_that_names_it(practice: Practice) -> None:
    practice.store.now += timedelta(minutes=6)

    findings = practice.examine()

    assert of_status(findings, Status.FAILED) == ["clocks"]
    assert "The clock of the bucket logs says" in finding(findings, "clocks").what


def test_a_bucket_that_cannot_be_written_shows_no_clock(practice: Practice) -> None:
    practice.store.fail("put_if_absent", ObjectStoreError("503"), times=None)

    clocks = finding(practice.examine(), "clocks")

    assert clocks.what == "the API server, the database: at most 0 s from ours"


class TestTwoClusters:
    SETTINGS = Settings.model_validate({"clusters": {"blue": {}, "green": {}}})

    def test_one_clustername_in_one_database_is_a_warning(self, practice: Practice) -> None:
        findings = practice.examine_all(self.SETTINGS)

        found = finding(findings, "clusterName")
        assert found.status is Status.WARNING
        assert found.cluster == "green"
        assert yaml.safe_load(found.mend) == {"persistence": {"clusterName": "green"}}

    def test_two_databases_are_well(self, practice: Practice) -> None:
        practice.environment = {"A": "postgresql://me:pw@a/argo", "B": "postgresql://me:pw@b/argo"}
        clusters = {name: {"database": {"url_env": name}} for name in ("A", "B")}
        settings = Settings.model_validate(
            {"clusters": {name.lower(): own for name, own in clusters.items()}}
        )

        assert of_status(practice.examine_all(settings), Status.WARNING) == []

    def test_a_database_that_fails_is_compared_with_none(self, practice: Practice) -> None:
        practice.cluster.remove("Secret", "argo", "postgres")

        findings = practice.examine_all(self.SETTINGS)

        assert of_status(findings, Status.FAILED) == ["database", "database"]
        assert of_status(findings, Status.WARNING) == []

    def test_other_users_of_one_database_do_not_matter(self, practice: Practice) -> None:
        """Another host name for the same server is another server to us."""
        practice.cluster.remove("Secret", "argo", "postgres")
        put_secret(practice.cluster, "postgres", {"username": "else", "password": "x"})

        assert of_status(practice.examine(), Status.FAILED) == []


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"], most=2) == "a, b"
    assert listed(["a", "b", "c"], most=2) == "a, b and 1 more"


def test_a_persistence_without_postgresql_is_said(practice: Practice) -> None:
    practice.cluster.change(
        "ConfigMap",
        "argo",
        "workflow-controller-configmap",
        lambda it: it["data"].update(persistence="archive: true\nmysql: {host: db}\n"),
    )

    assert "expected postgresql, found mysql" in finding(practice.examine(), "database").what


class TestIdentity:
    def test_what_moved_is_said_with_the_way_on(self, practice: Practice) -> None:
        practice.moved = ["the cluster moved: it is another"]

        found = finding(practice.examine(), "identity")

        assert (found.status, found.what) == (Status.FAILED, "the cluster moved: it is another")
        assert found.mend.endswith("argo-retention accept prod --because TEXT")

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (IdentityError("identity.json: expected the identity"), Status.FAILED),
            (ObjectStoreError("no bucket"), Status.WARNING),
        ],
    )
    def test_what_cannot_be_asked_is_said(
        self, practice: Practice, error: ArgoRetentionError, status: Status
    ) -> None:
        practice.moved = error

        found = finding(practice.examine(), "identity")

        assert found.status is status
        assert str(error) in found.what

    def test_all_as_it_was(self, practice: Practice) -> None:
        assert finding(practice.examine(), "identity").status is Status.OK
