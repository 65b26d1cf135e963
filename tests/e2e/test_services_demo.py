"""The demo of the services, as a user runs it."""

import json

import pytest

from tests.e2e.live_stack import show
from tests.e2e.up import pointsman

pytestmark = [
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.triton,
    pytest.mark.usefixtures("triton_supported"),
]


def test_the_services_watch_degrade_remember_and_learn() -> None:
    run = pointsman("demo", "services", "-o", "json", timeout_s=280)

    assert run.returncode == 0, run.stderr + run.stdout
    (line,) = run.stdout.splitlines()
    told = json.loads(line)
    show(test="demo services", **{key: value for key, value in told.items() if key != "why"})
    assert told["context_reused"]
    assert told["alerts_raised"] == told["alerts_cleared"] > 0
    assert "degrade" in told["levels_seen"]
    assert told["levels_seen"][-1] == "normal"
    assert told["degraded"] > 0
    assert told["preference_before"] != told["preference_after"]
    assert (told["lost"], told["duplicate_results"]) == (0, 0)
    assert "context attached" in told["why"]
    assert told["why"].count("What turned it") >= 2
