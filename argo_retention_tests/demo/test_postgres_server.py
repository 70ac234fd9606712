import os
import shutil
import socket
from pathlib import Path

import psycopg
import pytest

from argo_retention.demo import postgres_server, processes
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.processes import Account, free_ports

STRANGER = Account(name="stranger", uid=54321, gid=54321)


def setting(dsn: str, name: str) -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "UTC"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("synchronous_commit", "on"),
        ("password_encryption", "scram-sha-256"),
        ("max_connections", "200"),
        ("shared_buffers", "128MB"),
        ("fsync", "off"),
    ],
)
def test_settings_of_the_server(postgres: PostgresServer, name: str, value: str) -> None:
    assert setting(postgres.dsn(), name) == value


def test_a_wrong_password_is_refused(postgres: PostgresServer) -> None:
    wrong = postgres.dsn().replace(postgres.password, "wrong")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_the_password_is_in_no_file_once_the_server_runs(postgres: PostgresServer) -> None:
    texts = [
        path.read_bytes()
        for path in postgres.log_path.parent.rglob("*")
        if path.is_file() and path.suffix in ("", ".log", ".conf", ".opts")
    ]

    assert not [text for text in texts if postgres.password.encode() in text]


def test_two_servers_at_once_share_nothing(tmp_path: Path, postgres: PostgresServer) -> None:
    with PostgresServer(tmp_path, durable=True) as other:
        other.create_database("mine")

        assert other.port != postgres.port
        assert other.log_path.parent != postgres.log_path.parent
        assert setting(other.dsn("mine"), "fsync") == "on"
        with pytest.raises(psycopg.OperationalError, match='database "mine" does not exist'):
            psycopg.connect(postgres.dsn("mine"))


def test_a_stopped_server_leaves_nothing_and_can_start_again() -> None:
    server = PostgresServer().start()
    folder = server.log_path.parent
    server.stop()

    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn())

    with server:
        assert setting(server.dsn(), "timezone") == "UTC"


def test_a_port_that_was_taken_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((processes.LOOPBACK, 0))
        taken.listen()
        ports = [[taken.getsockname()[1]], free_ports(1)]
        monkeypatch.setattr(postgres_server, "free_ports", lambda _: ports.pop(0))

        with PostgresServer() as server:
            assert server.port != taken.getsockname()[1]


def test_a_copy_of_a_database_is_a_database_of_its_own(
    postgres: PostgresServer, argo_template: str, argo_database: str
) -> None:
    with psycopg.connect(argo_database) as connection:
        connection.execute("INSERT INTO schema_history VALUES (1)")

    with psycopg.connect(postgres.dsn(argo_template)) as connection:
        rows = connection.execute("SELECT schema_version FROM schema_history").fetchall()
    assert rows == [(68,)]


def test_binaries_in_a_folder_that_the_account_may_not_enter_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under /root: no right of any folder is widened for it."""
    installed = postgres_server.installed_postgres()
    for name in (installed.name, f"{installed.name}.libs"):
        shutil.copytree(
            installed.with_name(name),
            tmp_path / name,
            ignore=shutil.ignore_patterns("pginstall18", "__pycache__", "include"),
        )
    tmp_path.chmod(0o700)
    monkeypatch.setattr(postgres_server, "installed_postgres", lambda: tmp_path / installed.name)

    with PostgresServer(tmp_path) as server:
        assert setting(server.dsn(), "timezone") == "UTC"

    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("mode", "account", "expected"),
    [
        pytest.param(0o700, STRANGER, False, id="others have no right"),
        pytest.param(0o711, STRANGER, False, id="others may pass through but not read"),
        pytest.param(0o744, STRANGER, False, id="others may read the names but not enter"),
        pytest.param(0o000, None, True, id="no other account than ours"),
    ],
)
def test_which_folder_an_account_may_enter(
    tmp_path: Path, mode: int, account: Account | None, *, expected: bool
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode)
    folder.chmod(mode)

    assert postgres_server.may_enter(account, folder) is expected


def test_every_account_may_enter_the_root_folder_but_not_below_a_closed_one(tmp_path: Path) -> None:
    below = tmp_path / "closed" / "open"
    below.mkdir(parents=True)
    below.chmod(0o755)
    below.parent.chmod(0o700)

    assert postgres_server.may_enter(STRANGER, Path("/"))
    assert not postgres_server.may_enter(STRANGER, below)


def test_the_server_never_runs_as_root() -> None:
    account = postgres_server.unprivileged_account()

    assert (account is None) == (os.geteuid() != 0)
    assert account is None or account.uid != 0
