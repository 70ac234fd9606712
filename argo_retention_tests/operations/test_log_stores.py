from argo_retention.core.artifact_repositories import S3Location, SecretKey
from argo_retention.core.ports.log_store import LogStore
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.operations.log_stores import LogStores
from argo_retention_tests.fakes.cluster import FakeCluster
from argo_retention_tests.fakes.log_store import FakeLogStore
from argo_retention_tests.operations.installations import put_argo

LOCATION = S3Location(
    endpoint="s3:9000",
    bucket="logs",
    access_key_secret=SecretKey(name="s3", key="accesskey"),
    secret_key_secret=SecretKey(name="s3", key="secretkey"),
    session_token_secret=SecretKey(name="s3", key="accesskey"),
)


class Opened:
    """Remembers what was opened."""

    def __init__(self, *, own: bool = False, endpoint: str | None = None) -> None:
        self.calls: list[tuple[S3Location, S3Credentials | None]] = []
        cluster = FakeCluster()
        put_argo(cluster)
        self.stores = LogStores(
            cluster,
            self._open,
            controller_namespace="argo",
            own_credentials=own,
            endpoint=endpoint,
        )

    def _open(self, location: S3Location, credentials: S3Credentials | None) -> LogStore:
        self.calls.append((location, credentials))
        return FakeLogStore(bucket=location.bucket)


def test_a_store_is_opened_once_for_each_namespace_whose_secrets_it_uses() -> None:
    opened = Opened()

    stores = [opened.stores.of(LOCATION, namespace=name) for name in ("a", "a", "b")]

    assert stores[0] is stores[1]
    assert stores[0] is not stores[2]
    assert len(opened.calls) == 2


def test_with_own_credentials_one_store_serves_every_namespace() -> None:
    opened = Opened(own=True)

    first, second = (opened.stores.of(LOCATION, namespace=name) for name in ("a", "b"))

    assert first is second
    assert [credentials for _, credentials in opened.calls] == [None]


def test_the_settings_may_replace_the_endpoint() -> None:
    opened = Opened(endpoint="inside:9000")

    location, credentials = opened.stores.access(LOCATION, namespace="a")

    assert location.endpoint == "inside:9000"
    assert credentials is not None
    assert (credentials.access_key, credentials.session_token) == ("AK", "AK")


def test_without_secrets_the_sdks_own_chain_is_used() -> None:
    bare = S3Location(endpoint="s3:9000", bucket="logs")

    _, credentials = Opened().stores.access(bare, namespace="a")

    assert credentials is None


def test_a_secret_may_hold_no_session_token() -> None:
    plain = S3Location(
        endpoint="s3:9000",
        bucket="logs",
        access_key_secret=LOCATION.access_key_secret,
        secret_key_secret=LOCATION.secret_key_secret,
    )

    _, credentials = Opened().stores.access(plain, namespace="a")

    assert credentials is not None
    assert credentials.session_token is None
