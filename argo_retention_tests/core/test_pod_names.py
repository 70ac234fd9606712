import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.nodes import pod_nodes
from argo_retention.core.pod_names import (
    PodNameVersion,
    fnv1_32,
    fnv1a_32,
    pod_name,
    pod_name_version,
)
from argo_retention_tests.core.manifest_factory import node, workflow

NAMES = st.text("abcxyz0123456789-", min_size=1, max_size=260)


def pod_node(**fields):
    (found,) = pod_nodes(workflow(status={"nodes": {fields.get("id", "wf"): node(**fields)}}))
    return found


@pytest.mark.parametrize(
    ("data", "fnv1", "fnv1a"),
    [
        (b"", 0x811C9DC5, 0x811C9DC5),
        (b"a", 0x050C5D7E, 0xE40C292C),
        (b"foobar", 0x31F0B262, 0xBF9CF968),
    ],
)
def test_published_vectors_of_fnv(data, fnv1, fnv1a):
    assert fnv1_32(data) == fnv1
    assert fnv1a_32(data) == fnv1a


@given(NAMES, NAMES, NAMES)
def test_v2_names_fit_kubernetes_and_end_in_the_hash(name, template, node_name):
    found = pod_name(
        workflow_name=name,
        node=pod_node(name=node_name + ".x", templateName=template),
        version=PodNameVersion.V2,
    )

    prefix, _, digits = found.rpartition("-")
    assert len(found) <= 253
    assert f"{name}-{template}".startswith(prefix)
    assert len(prefix) == min(242, len(name) + 1 + len(template))
    assert int(digits) == fnv1a_32((node_name + ".x").encode())


def test_v1_is_the_node_id_and_the_root_pod_has_the_workflows_name():
    assert (
        pod_name(workflow_name="wf", node=pod_node(id="wf-7"), version=PodNameVersion.V1) == "wf-7"
    )
    assert pod_name(workflow_name="wf", node=pod_node(), version=PodNameVersion.V2) == "wf"


def test_a_node_without_template_name_has_the_workflow_as_prefix():
    found = pod_name(
        workflow_name="wf", node=pod_node(name="wf.a", templateName=""), version=PodNameVersion.V2
    )

    assert found == f"wf-{fnv1a_32(b'wf.a')}"


@pytest.mark.parametrize(
    ("annotation", "version"),
    [
        ("v1", PodNameVersion.V1),
        ("v2", PodNameVersion.V2),
        ("v9", PodNameVersion.V2),
        (None, PodNameVersion.V2),
    ],
)
def test_the_annotation_names_the_version(annotation, version):
    annotations = {"workflows.argoproj.io/pod-name-format": annotation}

    assert pod_name_version(workflow(metadata={"annotations": annotations})) is version
