from argo_retention.core.phases import WorkflowPhase


def test_completed_phases_are_the_three_that_end_a_workflow():
    assert {phase.value for phase in WorkflowPhase if phase.is_completed} == {
        "Succeeded",
        "Failed",
        "Error",
    }
