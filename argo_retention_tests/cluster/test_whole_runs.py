"""The whole runs of `make test`, each once more on a real API server."""

from importlib import import_module

from argo_retention_tests.e2e import test_traps
from argo_retention_tests.e2e.test_seed_expiry import seed  # noqa: F401

MODULES = [
    import_module(f"argo_retention_tests.e2e.{name}")
    for name in (
        "test_broken_parts",
        "test_crashes",
        "test_identity",
        "test_policy_is_a_floor",
        "test_promises",
        "test_secrets",
        "test_seed_expiry",
        "test_traps",
        "test_undo_and_pause",
    )
]
FLEET = "the fleet's workflows have ages, uids and versions that a real server gives by itself"
FAULTS = "a real server does not fail, or change its clock, when it is told to"
LEFT_OUT = {
    "test_p8_no_secret_is_seen_anywhere": FAULTS,
    "test_p7_a_second_run_on_the_whole_fleet_changes_nothing": FLEET,
    **{
        name: FLEET
        for name in vars(test_traps)
        if name.startswith("test_")
        and name
        not in {
            "test_p1_nothing_is_lost_and_nothing_is_left_over",
            "test_all_jobs_of_the_demo_succeed",
        }
    },
}

globals().update(
    {
        name: each
        for module in MODULES
        for name, each in vars(module).items()
        if name.startswith("test_") and name not in LEFT_OUT
    }
)


def test_what_is_left_out_is_there() -> None:
    assert LEFT_OUT.keys() <= {name for module in MODULES for name in vars(module)}
