"""What a pool decides with stands in its log."""

import msgspec
import pytest

from pointsman.contracts.events import KeyComponents, TaskAccepted, TaskRekeyed
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import BoostTask, MoveTask
from pointsman.policy.order import Window
from pointsman.policy.parameters import (
    DEFAULTS,
    MOST_HEDGED,
    RULES,
    UNTOLD,
    Parameters,
    Windows,
    config_of,
    from_figures,
    rules_of,
)
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.facts import restore
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy, decode_facts
from pointsman.scheduler.domain.steering.agreed import Agreed
from pointsman.scheduler.domain.steering.tasks import decide_task_steering
from pointsman.scheduler.domain.why.history import sentences
from tests.support.hedging import OF_POLICY, policy_set
from tests.support.pool_state import state
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    A,
    History,
    accepted,
    attached,
    folded,
    given,
    granted_events,
    model,
    submission,
)

OURS = Parameters(
    swap_share=0.2,
    credit_cap_loads=2.0,
    holder_patience_loads=1.0,
    least_gap_s=5.0,
    max_boost_s=3.0,
    hedge_share=MOST_HEDGED,
    windows=Windows(standard=Window(due_s=10.0, floor_s=2.0)),
)


def with_ours() -> History:
    return given((OF_POLICY, policy_set(OURS)), model(), attached())


def key_of(history: History, boost_s: float = 0.0) -> tuple[float, float]:
    asked = msgspec.structs.replace(submission(), boost_s=boost_s)
    decided = decide_submit(history.pool, asked, PAYLOAD, at=NOON)
    assert isinstance(decided, TaskAccepted)
    return decided.key - NOON, decided.boost_s


def test_a_pool_decides_as_it_did_before_a_parameter_existed_until_one_is_recorded() -> None:
    history = given(model(), attached())
    policy = history.pool.policy

    assert (policy.parameters, policy.config) == (UNTOLD, config_of(UNTOLD))
    assert policy.decide(UNTOLD, "", "here", at=NOON, applied_to=0) is None

    recorded = policy.decide(DEFAULTS, "", "here", at=NOON, applied_to=0)
    assert recorded is not None
    history.append(policy.stream, recorded)
    assert (policy.parameters, policy.config) == (DEFAULTS, RULES)
    assert policy.decide(DEFAULTS, "", "here", at=NOON, applied_to=0) is None


def test_what_was_recorded_holds_for_every_decision_after_it() -> None:
    history = with_ours()
    pool = history.pool

    assert pool.policy.parameters == OURS
    assert key_of(history) == (10.0, 0.0)
    assert key_of(history, boost_s=9.0) == (7.0, 3.0)
    assert pool.devices["cpu-0"].credit.left_s(10.0) == 20.0
    assert pool.waiting.queue_of(("summarize", ("fast",))).gap_s == 5.0


def test_devices_and_queues_that_were_there_before_follow() -> None:
    history = given(model(), attached(), (A, accepted()))
    device = history.pool.devices["cpu-0"]
    queue = history.pool.waiting.queue_of(("summarize", ("fast",)))

    history.append(history.pool.policy.stream, policy_set(OURS))
    device.credit.spend(15.0, 10.0)
    device.credit.earn(20.0)

    assert device.credit.left_s(10.0) == 20.0 - 15.0 + 20.0 * 0.25
    assert queue.gap_s == 5.0


def test_a_grant_names_the_policy_and_explains_with_its_windows() -> None:
    history = with_ours()
    history.append(A, accepted(key=NOON + 10))

    (grant,) = granted_events(history.round(NOON + 1)).values()

    assert grant.explanation.config == config_of(OURS)
    assert grant.explanation.config.startswith(f"{RULES}+")
    assert rules_of(grant.explanation.config) == RULES
    assert grant.explanation.components == KeyComponents(
        base_s=10.0, boost_s=0.0, deadline_s=None, floor_s=2.0, age_s=1.0
    )


def test_what_an_operator_asks_of_a_task_is_measured_by_its_windows() -> None:
    history = with_ours()
    history.append(A, accepted(key=NOON + 10))
    moved = MoveTask(
        command_id="m", task=A, by="ada", reason="why", priority_class=PriorityClass.BATCH
    )
    too_much = BoostTask(command_id="b", task=A, by="ada", reason="why", boost_s=11.0)

    agreed = decide_task_steering(history.pool, moved, at=NOON)
    refused = decide_task_steering(history.pool, too_much, at=NOON)

    assert not isinstance(refused, Agreed)
    assert isinstance(agreed, Agreed)
    (rekeyed,) = agreed.decided.events
    assert isinstance(rekeyed, TaskRekeyed)
    assert (rekeyed.due_s, rekeyed.floor_s) == (120.0, 30.0)
    assert "120 s from its arrival, not before 30 s" in "\n".join(sentences([rekeyed]))


@pytest.mark.parametrize("parameters", [OURS, DEFAULTS, Parameters(hedge_share=0.01)])
def test_parameters_are_recorded_whole_and_read_as_they_were(parameters: Parameters) -> None:
    figures = parameters.figures()

    assert from_figures(figures) == parameters
    assert from_figures({**figures, "of_a_later_release": 1.0}) == parameters
    assert from_figures({}) == UNTOLD


def test_another_pool_is_none_of_its_business() -> None:
    history = given(model())
    theirs = msgspec.structs.replace(policy_set(OURS), pool="other")

    history.append(history.pool.policy.stream, theirs)

    assert history.pool.policy.parameters == UNTOLD


def test_a_snapshot_keeps_the_policy_and_what_there_is_to_hedge_with() -> None:
    history = with_ours()
    history.append(A, accepted())
    copy = PoolCopy(history.pool)
    pool = Pool("main")

    restore(pool, decode_facts(copy.facts), [history.pool.tasks[A]])

    assert state(pool, NOON) == state(folded(history.entries), NOON)
    assert pool.attempts.hedges.allowance == MOST_HEDGED
    assert pool.devices["cpu-0"].credit.left_s(10.0) == 20.0
    assert pool.waiting.queue_of(("summarize", ("fast",))).gap_s == 5.0


def test_going_back_to_the_defaults_is_recorded_as_well() -> None:
    history = with_ours()

    event = history.pool.policy.decide(DEFAULTS, "", "here", at=NOON, applied_to=3)

    assert event is not None
    assert event.config == RULES
    history.append(history.pool.policy.stream, event)
    assert history.pool.policy.parameters == DEFAULTS
