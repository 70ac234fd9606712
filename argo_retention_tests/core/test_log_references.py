"""Which objects a workflow names: every log artifact of every node, in the bucket where it lies."""

from typing import Any

from argo_retention.core.log_references import named_objects
from argo_retention_tests.core.manifest_factory import log_artifact, node, workflow


def objects(status: dict[str, Any], spec: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    made = workflow(status=status, spec=spec)
    return list(named_objects(made, repository_bucket="default"))


def with_artifacts(*artifacts: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": {"wf": node(outputs={"artifacts": list(artifacts)})}}


def test_p4_the_bucket_is_the_artifacts_then_the_repositorys() -> None:
    own = {"name": "main-logs", "s3": {"key": "k", "bucket": "own"}}

    assert objects(with_artifacts(own)) == [("own", "k")]
    assert objects(with_artifacts(log_artifact("k"))) == [("default", "k")]


def test_an_object_that_two_nodes_name_is_named_once() -> None:
    both = {
        "nodes": {
            "a": node(id="a", outputs={"artifacts": [log_artifact("k")]}),
            "b": node(id="b", outputs={"artifacts": [log_artifact("k")]}),
        }
    }

    assert objects(both) == [("default", "k")]


def test_a_templates_own_location_has_the_bucket() -> None:
    location = {"s3": {"bucket": "templates", "endpoint": "e", "key": "k"}}
    templates = [{"name": "main", "container": {}, "archiveLocation": location}]

    found = objects(with_artifacts(log_artifact("k")), {"templates": templates})

    assert found == [("templates", "k")]
