"""Breaking one server of the demo on purpose."""

import json
from urllib.request import Request, urlopen

from argo_retention.demo.servers import DemoCluster


def break_api(cluster: DemoCluster) -> None:
    """The emulated Kubernetes API answers 503 to everything from now on."""
    _control(cluster, "POST", {"match": {}, "status": 503})


def mend_api(cluster: DemoCluster) -> None:
    """It answers again, so that it can be counted what is there."""
    _control(cluster, "DELETE", None)


def _control(cluster: DemoCluster, method: str, body: object) -> None:
    request = Request(  # noqa: S310  a server that this process started on loopback
        f"{cluster.url}/emulator/faults",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={
            "Authorization": f"Bearer {cluster.admin_token}",
            "Content-Type": "application/json",
        },
    )
    with urlopen(request, timeout=10):  # noqa: S310
        pass
