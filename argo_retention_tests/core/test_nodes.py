import base64
import gzip
import json

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core import nodes
from argo_retention.errors import ManifestError
from argo_retention_tests.core.manifest_factory import log_artifact, node, workflow

NODES = {"wf": node(), "wf-1": node(id="wf-1", name="wf.a")}
COMPRESSORS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "brotli": brotli.compress,
}


def nothing_offloaded(version):
    raise AssertionError(f"nobody offloaded {version}")


def compressed(data, kind):
    text = base64.b64encode(COMPRESSORS[kind](data)).decode()
    return workflow(status={"nodes": None, "compressedNodes": text})


@pytest.mark.parametrize("kind", COMPRESSORS)
@given(st.dictionaries(st.text(max_size=5), st.just(NODES["wf"]), max_size=3))
def test_compressed_nodes_are_made_whole(kind, found):
    packed = compressed(json.dumps(found).encode(), kind)

    whole = nodes.whole_status(packed, nothing_offloaded)

    assert whole["status"]["nodes"] == found
    assert "compressedNodes" not in whole["status"]
    assert packed["status"]["nodes"] is None  # the argument is not changed


def test_offloaded_nodes_are_fetched_by_version():
    offloaded = workflow(status={"nodes": None, "offloadNodeStatusVersion": "fnv:7"})

    whole = nodes.whole_status(offloaded, {"fnv:7": json.dumps(NODES).encode()}.get)

    assert whole["status"]["nodes"] == NODES
    assert "offloadNodeStatusVersion" not in whole["status"]


def test_a_whole_status_stays_and_empty_fields_go():
    assert nodes.whole_status(plain := workflow(), nothing_offloaded) is plain
    left = workflow(status={"compressedNodes": "", "offloadNodeStatusVersion": ""})

    assert nodes.whole_status(left, nothing_offloaded) == workflow()


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_a_bomb_is_refused(kind):
    bomb = compressed(b" " * 20_000_000, kind)

    with pytest.raises(
        ManifestError, match="team-a/wf: its node status is larger than 1000000 bytes"
    ):
        nodes.whole_status(bomb, nothing_offloaded, max_bytes=1_000_000)


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_a_cut_stream_is_refused(kind):
    data = COMPRESSORS[kind](json.dumps(NODES).encode())
    cut = workflow(status={"nodes": None, "compressedNodes": base64.b64encode(data[:-9]).decode()})

    with pytest.raises(ManifestError, match="cannot be decompressed"):
        nodes.whole_status(cut, nothing_offloaded)


@pytest.mark.parametrize(
    "text", ["?", "ü", "AAAA" * 3, base64.b64encode(b"\x1f\x8bno").decode(), 7]
)
def test_what_is_not_compressed_is_refused(text):
    with pytest.raises(ManifestError, match=r"cannot be decompressed|is a number, expected text"):
        nodes.whole_status(
            workflow(status={"nodes": {}, "compressedNodes": text}), nothing_offloaded
        )


@pytest.mark.parametrize(
    ("offloaded", "message"),
    [
        (None, "was offloaded as 'fnv:7' and is not there"),
        (b"[]", "not a JSON map"),
        (b'{"a": 1}', "not a JSON map"),
        (b" " * 2_000, "larger than 1000 bytes"),
    ],
)
def test_offloaded_nodes_that_cannot_be_read_are_refused(offloaded, message):
    found = workflow(status={"offloadNodeStatusVersion": "fnv:7"})

    with pytest.raises(ManifestError, match=message):
        nodes.whole_status(found, lambda _version: offloaded, max_bytes=1_000)


def test_pod_nodes_are_those_of_type_pod():
    found = workflow(
        status={
            "nodes": {
                "wf": node(type="Steps"),
                "wf-1": node(id="wf-1", memoizationStatus={"hit": True}, finishedAt=None),
            }
        }
    )

    (pod,) = nodes.pod_nodes(found)

    assert (pod.id, pod.template_name, pod.phase) == ("wf-1", "main", "Succeeded")
    assert pod.memoized
    assert pod.started_at is not None
    assert pod.finished_at is None


def test_a_node_that_is_no_map_is_named():
    with pytest.raises(ManifestError, match="node wf is not a map"):
        list(nodes.pod_nodes(workflow(status={"nodes": {"wf": 1}})))


def test_log_artifacts_of_every_type_of_node():
    found = workflow(
        status={
            "nodes": {
                "a": node(type="Retry", outputs={"artifacts": [log_artifact("k")]}),
                "b": node(
                    outputs={
                        "artifacts": [
                            log_artifact("k", container="side", deleted=True)
                            | {"s3": {"key": "k2", "bucket": "other"}},
                            {"name": "result", "s3": {"key": "r"}},
                            {"name": "main-logs", "gcs": {"key": "g"}},
                        ]
                    }
                ),
            }
        }
    )

    logs = list(nodes.log_artifacts(found))

    assert [(log.node_id, log.container, log.bucket, log.key, log.deleted) for log in logs] == [
        ("a", "main", None, "k", False),
        ("b", "side", "other", "k2", True),
    ]
