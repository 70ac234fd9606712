"""Promise P4: a log that another workflow still needs is never deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.log_guards import object_guard

UID = "0b7c1e4e-4d2c-4b5e-9a53-0d1f6c2f8a11"
KEY = "build-1/build-1/main.log"
UID_KEY = f"build-1/{UID}/build-1/main.log"


def guard(**overrides) -> str:
    plain = {
        "key": KEY,
        "uid": UID,
        "others": (),
        "live_namesakes": (),
        "exclusive_bucket": False,
        "owner_in_metadata": UID,
    }
    given_ = plain | overrides
    return object_guard(given_.pop("key"), **given_)


@pytest.mark.parametrize(
    "given_",
    [
        {},
        {"exclusive_bucket": True, "owner_in_metadata": ""},
        {"key": UID_KEY, "owner_in_metadata": ""},
    ],
)
def test_p4_an_object_that_is_surely_its_own_may_go(given_) -> None:
    assert guard(**given_) == ""


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"others": ["b", "a"]}, "workflow a names it too"),
        (
            {"live_namesakes": {"c"}},
            "live workflow c has the same name and may use the same key",
        ),
        ({"owner_in_metadata": ""}, "its key has no uid and bucket.exclusive is false"),
        ({"owner_in_metadata": "b"}, "its key has no uid and bucket.exclusive is false"),
        # Two unknowns are not one known.
        ({"uid": "", "owner_in_metadata": ""}, "its key has no uid and bucket.exclusive is false"),
    ],
)
def test_p4_why_an_object_stays(given_, why) -> None:
    assert guard(**given_) == why


@given(
    others=st.sets(st.sampled_from("abc")),
    live_namesakes=st.sets(st.sampled_from("abc")),
    exclusive_bucket=st.booleans(),
    owner_in_metadata=st.sampled_from(["", UID, "other"]),
    key=st.sampled_from([KEY, UID_KEY]),
)
def test_p4_no_object_goes_that_any_other_workflow_names(**state) -> None:
    if guard(**state):
        return

    assert not state["others"]
    assert not state["live_namesakes"]
    sure = (state["exclusive_bucket"], state["key"] == UID_KEY, state["owner_in_metadata"] == UID)
    assert any(sure)
