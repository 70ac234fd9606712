"""PgBouncer itself in transaction mode, where it is installed (Debian: pgbouncer)."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from argo_retention.demo.processes import free_ports

BINARY = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
ACCOUNT = "nobody"  # it refuses to run as root
SECONDS = 20.0


class PgBouncer:
    """In front of the database of a DSN, on a free port."""

    def __init__(self, dsn: str, *, sessions: int = 3) -> None:
        """Starts nothing yet."""
        self._dsn = dsn
        self._sessions = sessions
        [self.port] = free_ports(1)
        self._folder = Path(tempfile.mkdtemp(prefix="argo-retention-pgbouncer-"))

    def __enter__(self) -> Self:
        target = psycopg.conninfo.conninfo_to_dict(self._dsn)
        users = self._folder / "users.txt"
        users.write_text(f'"{target["user"]}" "{target["password"]}"\n')
        config = self._folder / "pgbouncer.ini"
        config.write_text(
            f"""[databases]
* = host=127.0.0.1 port={target["port"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = {self._sessions}
"""
        )
        as_whom = ["-u", ACCOUNT] if os.geteuid() == 0 else []
        if as_whom:
            shutil.chown(self._folder, ACCOUNT)
            shutil.chown(users, ACCOUNT)
        self._child = subprocess.Popen(
            [str(BINARY), "-q", *as_whom, str(config)], stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            assert self._child.poll() is None, self._child.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._dsn, host="127.0.0.1", port=self.port).close()
        except psycopg.OperationalError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)
