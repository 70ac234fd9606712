"""Where the database is, and that its password is never shown."""

import pytest

from argo_retention.core.database_target import DatabaseTarget
from argo_retention.errors import ConfigurationError


def test_a_url_is_read_whole() -> None:
    target = DatabaseTarget.from_url("postgresql://a%40b:p%2Fw@db:5433/argo?sslmode=require")

    assert (target.host, target.port, target.database) == ("db", 5433, "argo")
    assert (target.user, target.password.get_secret_value()) == ("a@b", "p/w")
    assert target.sslmode == "require"


def test_what_a_url_leaves_out_is_as_in_libpq() -> None:
    target = DatabaseTarget.from_url("postgres://argo@db")

    assert (target.port, target.database, target.sslmode) == (5432, "argo", "prefer")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret-marker@db/argo",
        "postgresql:///argo?password=secret-marker",
        "postgresql://u:secret-marker@db:port/argo",
        "postgresql://u:secret-marker@db/argo?sslmode=maybe",
        "postgresql://u:secret-marker@db/argo?sslrootcert=x",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="database URL") as refused:
        DatabaseTarget.from_url(url)

    assert "secret-marker" not in str(refused.value)


def test_the_password_is_not_shown() -> None:
    target = DatabaseTarget.from_url("postgresql://u:secret-marker@db/argo")

    assert "secret-marker" not in repr(target) + str(target)
    assert str(target) == "u@db:5432/argo"
