"""Packs the recorded data for the demo: `python -m argo_retention_tests.demo.pack_golden`.

The demo runs from an installed wheel, which has no tests in it. Whatever is not shown is left out: Argo's own
ConfigMap (the demo writes one for its own servers) and what OpenShift puts into every namespace.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec

from argo_retention.demo.scenes.golden import Golden

RECORDED = Path(__file__).parents[1] / "testdata" / "golden" / "argo"
PACKED = Path(__file__).parents[2] / "argo_retention" / "demo" / "scenes" / "golden.json.gz"
NOT_SHOWN = ("openshift-service-ca.crt", "argo-workflows-workflow-controller-configmap")


def pack() -> bytes:
    """The content of golden.json.gz before it is compressed."""
    config = _read("config.json")
    golden = Golden(
        workflows=_read_all("cluster"),
        pods=[pod for pods in _read_all("pods") for pod in pods],
        config_maps=[
            each for each in config["configmaps"] if each["metadata"]["name"] not in NOT_SHOWN
        ],
        workflow_templates=config["workflowtemplates"],
        rows=_read_all("archive"),
        offload=_read("offload.json"),
        objects=[
            {key: each[key] for key in ("bucket", "key", "text")} for each in _read("objects.json")
        ],
    )
    return msgspec.json.encode(golden)


def _read_all(folder: str) -> list[Any]:
    return [_read(path) for path in sorted((RECORDED / folder).glob("*.json"))]


def _read(path: str | Path) -> Any:
    return json.loads((RECORDED / path).read_text("utf-8"))


if __name__ == "__main__":
    PACKED.write_bytes(gzip.compress(pack(), 9, mtime=0))
