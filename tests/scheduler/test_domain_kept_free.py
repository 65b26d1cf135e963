"""A device is kept free only for a class that another one is expected to serve."""

from typing import Final

import pytest
from msgspec.structs import replace

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    DeviceAttached,
    DeviceMode,
    Residency,
    ResidencyGranted,
    ScopeKind,
    SlotHeld,
)
from pointsman.policy.parameters import DEFAULTS, UNTOLD, Parameters
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.hedging import OF_POLICY, policy_set
from tests.support.influences import canary
from tests.support.scheduling import NOON, A, B, History, accepted, attached, given, model
from tests.support.steering import drain, limit, pause, resume, steered

LOADABLE: Final = (Residency(variant="fast", slots=1),)
NOTHING_STARTS: Final = {
    "family": pause(ScopeKind.FAMILY, "summarize"),
    "tenant": pause(ScopeKind.TENANT, "acme"),
    "limit": limit("fast", 0),
}


def dedicated(device: str, *loaded: str) -> DeviceAttached:
    offer = attached(device, variants=loaded)
    return replace(offer, mode=DeviceMode.DEDICATED, loadable=LOADABLE)


def two_devices(parameters: Parameters, unknown: tuple[str, ...]) -> History:
    """gpu-0 has the model, gpu-1 has nothing.

    `unknown` are figures that the release that recorded the policy did not have.
    """
    event = policy_set(parameters)
    known = {name: figure for name, figure in event.figures.items() if name not in unknown}
    set_to = replace(event, figures=known)
    return given((OF_POLICY, set_to), model(), dedicated("gpu-0", "fast"), dedicated("gpu-1"))


def waits_for_a_wrong_canary(*, unknown: tuple[str, ...] = ()) -> History:
    history = two_devices(DEFAULTS, unknown)
    history.append(B, canary("gpu-0", healthy=False))
    history.append(A, accepted())
    return history


def one_runs_and_one_waits(
    parameters: Parameters = DEFAULTS, *, unknown: tuple[str, ...] = ()
) -> History:
    """A runs on gpu-0; B waits, and gpu-1 has nothing to do."""
    history = two_devices(parameters, unknown)
    history.append(A, accepted())
    history.round(NOON)
    history.append(B, accepted())
    return history


def kept_free(decided: list[Decided]) -> list[str]:
    return [e.device for one in decided for e in one.events if isinstance(e, SlotHeld)]


def test_a_device_is_kept_free_for_a_class_that_its_holder_will_serve_soon() -> None:
    history = one_runs_and_one_waits()

    assert kept_free(history.round(NOON + 0.01)) == ["gpu-1"]


@pytest.mark.parametrize("scope", NOTHING_STARTS)
def test_no_device_is_kept_free_for_a_class_of_which_nothing_may_start(scope: str) -> None:
    history = one_runs_and_one_waits()
    steered(history, NOTHING_STARTS[scope])

    assert history.round(NOON + 0.01) == []


def test_no_device_is_kept_free_for_a_paused_family_whose_holder_is_drained() -> None:
    history = one_runs_and_one_waits()
    steered(history, drain("gpu-0"))
    steered(history, NOTHING_STARTS["family"])

    assert history.round(NOON + 0.01) == []


def test_a_class_does_not_wait_for_a_device_whose_canary_answers_wrongly() -> None:
    history = waits_for_a_wrong_canary()

    (decided,) = history.round(NOON + 0.01)

    (load,) = decided.events
    assert isinstance(load, ResidencyGranted)
    assert (load.device, load.load) == ("gpu-1", "fast")


def test_a_log_of_before_waits_for_it_as_it_did() -> None:
    history = waits_for_a_wrong_canary(unknown=("unserved_patience_loads",))

    assert decide_round(history.pool, at=NOON + 0.01) == []


def test_after_a_pause_a_class_waits_for_its_holder_as_it_would_have_before() -> None:
    history = one_runs_and_one_waits()
    steered(history, NOTHING_STARTS["family"])
    history.round(NOON + 0.01)
    steered(history, resume(ScopeKind.FAMILY, "summarize"))

    assert kept_free(history.round(NOON + 0.02)) == ["gpu-1"]


@pytest.mark.parametrize("scope", NOTHING_STARTS)
def test_a_log_of_before_is_decided_as_it_was(scope: str) -> None:
    history = one_runs_and_one_waits(unknown=("unserved_patience_loads",))
    steered(history, NOTHING_STARTS[scope])

    assert history.pool.policy.config == "policy-5"
    assert kept_free(decide_round(history.pool, at=NOON + 0.01)) == ["gpu-1"]


def test_a_log_that_sets_nothing_is_decided_as_it_was() -> None:
    history = one_runs_and_one_waits(UNTOLD)
    steered(history, NOTHING_STARTS["family"])

    assert history.pool.policy.config == Pool("main").policy.config == "policy-4"
    assert kept_free(decide_round(history.pool, at=NOON + 0.01)) == ["gpu-1"]
