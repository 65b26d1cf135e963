"""The main job on real input, as a user starts it."""

import json

import pytest

from tests.e2e.live_stack import show
from tests.e2e.up import pointsman

MESSAGES = 60


@pytest.mark.triton
@pytest.mark.usefixtures("triton_supported")
def test_the_demo_accounts_for_every_message() -> None:
    done = pointsman("demo", "-o", "json")

    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    show(test="demo", **{**outcome, "why": f"{len(outcome['why'])} characters"})
    ends = ("completed", "expired", "rejected", "duplicates", "failed")
    assert outcome["submitted"] == MESSAGES == sum(outcome[end] for end in ends)
    assert (outcome["lost"], outcome["duplicate_results"], outcome["failed"]) == (0, 0, 0)
    assert (outcome["expired"], outcome["rejected"], outcome["duplicates"]) == (1, 1, 1)
    assert outcome["events"] >= 3 * outcome["completed"]
    assert outcome["triton_version"]
    assert outcome["nats_version"]
    assert "granted to" in outcome["why"]
    assert outcome["seconds"] > 0
