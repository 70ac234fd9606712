from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core import labels, manifests
from argo_retention.errors import ManifestError
from argo_retention_tests.core.manifest_factory import log_artifact, node, workflow

GC = {"finalizers": [labels.ARTIFACT_GC_FINALIZER]}
LOGGED = {"nodes": {"wf": node(outputs={"artifacts": [log_artifact("wf/wf/main.log")]})}}


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
def test_numbers_keep_every_digit(fraction, integer):
    decoded = manifests.decode(
        b'{"f": %s, "i": %d}' % (format(fraction, "f").encode() + b"e0", integer)
    )

    again = manifests.decode(manifests.encode(decoded))

    assert again == decoded == {"f": Decimal(format(fraction, "f")), "i": integer}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'"x"', b'{"a": "\xff"}'])
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(ManifestError, match="cannot be decoded"):
        manifests.decode(data)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ManifestError, match="cannot be written"):
        manifests.encode({"a": "\ud800"})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("", None),
        ("0001-01-01T00:00:00Z", None),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5+02:00", datetime(2026, 1, 2, 1, 4, 5, 500_000, tzinfo=UTC)),
    ],
)
def test_times_are_utc_and_year_1_is_none(text, moment):
    assert manifests.parse_time(text, what="x") == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-01-02T03:04:05", 7])
def test_a_bad_time_is_named(text):
    with pytest.raises(ManifestError, match="finishedAt is"):
        manifests.finished_at(workflow(status={"finishedAt": text}))


def test_sections_and_lists_of_the_wrong_kind_are_named():
    with pytest.raises(ManifestError, match="spec is a list, expected a map"):
        manifests.executed_spec({"spec": []})
    with pytest.raises(ManifestError, match="templates is a map, expected a list"):
        list(manifests.entries({"templates": {}}, "templates"))
    with pytest.raises(ManifestError, match="templates holds text"):
        list(manifests.entries({"templates": ["x"]}, "templates"))
    assert list(manifests.entries({}, "templates")) == []


def test_the_executed_spec_is_the_stored_one_where_present():
    stored = {"archiveLogs": True, "templates": []}

    assert (
        manifests.executed_spec(workflow(status={"storedWorkflowTemplateSpec": stored})) is stored
    )
    assert manifests.executed_spec(workflow())["entrypoint"] == "main"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "spec", id="template of the workflow"),
        pytest.param({"templateScope": "namespaced/wt"}, "wt", id="same name in another object"),
        pytest.param(
            {"templateName": None, "templateRef": {"name": "wt", "template": "main"}},
            "wt",
            id="templateRef",
        ),
        pytest.param(
            {"templateRef": {"name": "cwt", "template": "main", "clusterScope": True}},
            "cwt",
            id="cluster",
        ),
        pytest.param({"templateName": "gone"}, None, id="not in the object"),
    ],
)
def test_template_of_a_node(fields, expected):
    found = workflow(
        spec={"templates": [{"name": "other"}, {"name": "main", "from": "spec"}]},
        status={
            "storedTemplates": {
                "namespaced/wt/main": {"name": "main", "from": "wt"},
                "cluster/cwt/main": {"name": "main", "from": "cwt"},
            }
        },
    )

    template = manifests.template_of(found, node(**fields))

    assert (template or {}).get("from") == expected


def test_template_name_of_a_node():
    assert manifests.template_name(node()) == "main"
    assert manifests.template_name({"templateRef": {"name": "wt", "template": "t"}}) == "t"
    assert manifests.template_name({}) == ""


def test_main_containers():
    containers = {"containerSet": {"containers": [{"name": "a"}, {"name": "b"}, {}]}}

    assert manifests.main_containers(containers) == ("a", "b", "main")
    assert manifests.main_containers({"script": {}}) == ("main",)
    assert manifests.main_containers(None) == ("main",)


@pytest.mark.parametrize(
    ("phase", "strategy", "seconds"),
    [
        ("Succeeded", {"secondsAfterSuccess": 0, "secondsAfterCompletion": 9}, 0),
        ("Succeeded", {"secondsAfterFailure": 5}, None),
        ("Failed", {"secondsAfterFailure": 5, "secondsAfterCompletion": 9}, 5),
        ("Error", {"secondsAfterSuccess": 5, "secondsAfterCompletion": 9}, 9),
        ("Running", {"secondsAfterCompletion": 9}, None),
        ("Failed", None, None),
    ],
)
def test_ttl_strategy_first_match_wins(phase, strategy, seconds):
    found = workflow(spec={"ttlStrategy": strategy}, status={"phase": phase})

    assert manifests.effective_ttl_seconds(found) == seconds


def test_ttl_strategy_of_the_workflow_wins_as_a_whole():
    stored = {"storedWorkflowTemplateSpec": {"ttlStrategy": {"secondsAfterSuccess": 7}}}

    assert manifests.effective_ttl_seconds(workflow(status=stored)) == 7
    assert (
        manifests.effective_ttl_seconds(workflow(spec={"ttlStrategy": {}}, status=stored)) is None
    )


def test_ttl_strategy_that_is_no_number_is_named():
    with pytest.raises(ManifestError, match=r"team-a/wf: ttlStrategy\.secondsAfterSuccess is '1d'"):
        manifests.effective_ttl_seconds(
            workflow(spec={"ttlStrategy": {"secondsAfterSuccess": "1d"}})
        )


@pytest.mark.parametrize(
    ("spec", "own", "name"),
    [
        ({"workflowTemplateRef": {"name": "wt"}}, {}, "wt"),
        ({}, {labels.CRON_WORKFLOW: "nightly"}, "nightly"),
        ({}, {}, ""),
    ],
)
def test_the_template_that_a_workflow_came_from(spec, own, name):
    assert manifests.template_name_of(workflow(spec=spec, metadata={"labels": own})) == name


@pytest.mark.parametrize(
    ("metadata", "strategy", "status", "deletes"),
    [
        pytest.param({}, "OnWorkflowDeletion", LOGGED, False, id="no finalizer"),
        pytest.param(GC, "OnWorkflowDeletion", LOGGED, True, id="on deletion"),
        pytest.param(GC, "OnWorkflowCompletion", LOGGED, True, id="completion not done yet"),
        pytest.param(
            GC,
            "OnWorkflowCompletion",
            LOGGED | {"artifactGCStatus": {"strategiesProcessed": {"OnWorkflowCompletion": True}}},
            False,
            id="completion done",
        ),
        pytest.param(GC, "Never", LOGGED, False, id="never"),
        pytest.param(GC, None, LOGGED, False, id="unset is never"),
        pytest.param(
            GC,
            "OnWorkflowDeletion",
            {
                "nodes": {
                    "wf": node(
                        outputs={"artifacts": [log_artifact("k", artifactGC={"strategy": "Never"})]}
                    )
                }
            },
            False,
            id="the artifact's own strategy wins",
        ),
        pytest.param(
            GC,
            "OnWorkflowDeletion",
            {"nodes": {"wf": node(outputs={"artifacts": [log_artifact("k", deleted=True)]})}},
            False,
            id="already deleted",
        ),
        pytest.param(
            GC,
            "OnWorkflowDeletion",
            {"nodes": {"wf": node(outputs={"artifacts": [{"name": "result"}]})}},
            False,
            id="no log among the artifacts",
        ),
        pytest.param(
            GC,
            "OnWorkflowDeletion",
            {"nodes": {"wf": node(type="Retry", outputs={"artifacts": [log_artifact("k")]})}},
            False,
            id="Argo looks at pod nodes only",
        ),
    ],
)
def test_artifact_gc_that_takes_logs(metadata, strategy, status, deletes):
    spec = {"artifactGC": {"strategy": strategy}} if strategy else {}

    found = workflow(metadata=metadata, spec=spec, status=status)

    assert manifests.artifact_gc_deletes_logs(found) is deletes
