"""A log is decided again by the rules that it was decided by, whatever the defaults are now."""

from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.events import DeviceMode, SlotHeld, TaskAccepted, TaskGranted
from pointsman.policy.parameters import DEFAULTS, UNTOLD, Parameters, config_of
from pointsman.time_machine.replay.verification import Verification
from tests.support.hedging import OF_POLICY, policy_set
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.log_rows import rows_of

DEVICES: Final = {f"gpu-{number}": DeviceMode.DEDICATED for number in range(5)}
OF_BEFORE: Final = msgspec.structs.replace(UNTOLD, swap_share=0.1)
ADDED: Final = frozenset({"idle_patience_loads", "unserved_patience_loads"})


def a_burst(policy: Parameters | None, *, figures: frozenset[str] = frozenset()) -> LoadingWorld:
    """A task, and when its model is loaded five more; four devices have nothing to do.

    `figures` are those that the release that recorded the policy did not know.
    """
    world = LoadingWorld([loading_model("a")], DEVICES, verify=False)
    if policy is not None:
        event = policy_set(policy)
        known = {name: value for name, value in event.figures.items() if name not in figures}
        world.history.append(OF_POLICY, msgspec.structs.replace(event, figures=known))
    for at_s in (0.0, *[25.0] * 5):
        world.submit("a", at_s=at_s)
    world.run(until_s=200.0)
    return world


def different(world: LoadingWorld) -> int:
    """What is decided otherwise, without the acceptances, which nobody decided here."""
    verification = Verification("main")
    entries = world.history.entries
    verification.take(rows_of(entries))
    verification.end()
    assert not verification.not_redecided
    return verification.different - sum(isinstance(e.event, TaskAccepted) for e in entries)


@given(
    work=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 90), st.sampled_from((1.0, 10.0, 30.0))),
        min_size=1,
        max_size=25,
    ),
    devices=st.integers(1, 6),
    slots=st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_every_task_ends_and_all_is_decided_again(
    work: list[tuple[str, int, float]], devices: int, slots: int
) -> None:
    models = [loading_model("a"), loading_model("b", load_s=5.0), loading_model("c", load_s=40.0)]
    names = [f"gpu-{number}" for number in range(devices)]
    world = LoadingWorld(
        models, dict.fromkeys(names, DeviceMode.DEDICATED), slots=slots, verify=False
    )
    world.history.append(OF_POLICY, policy_set(DEFAULTS))
    for variant, at_s, run_s in work:
        world.submit(variant, at_s=at_s, run_s=run_s)

    world.run()

    assert all(fate.ended is not None for fate in world.fates.values())
    assert different(world) == 0


def loads(world: LoadingWorld) -> int:
    return sum(change.load == "a" for change in world.changes)


def test_idle_devices_load_for_a_burst_and_that_is_decided_again() -> None:
    world = a_burst(DEFAULTS)

    assert loads(world) > 1
    assert different(world) == 0


def test_a_log_that_sets_nothing_waits_for_the_holder_as_it_did() -> None:
    world = a_burst(None)

    assert loads(world) == 1
    assert any(isinstance(entry.event, SlotHeld) for entry in world.history.entries)
    grants = (e.event for e in world.history.entries if isinstance(e.event, TaskGranted))
    assert {grant.explanation.config for grant in grants} == {config_of(UNTOLD)}
    assert different(world) == 0


def test_a_policy_of_before_is_read_as_it_was_and_recorded_so_again() -> None:
    world = a_burst(OF_BEFORE, figures=ADDED)

    assert world.pool.policy.parameters == OF_BEFORE
    assert loads(world) == 1
    assert different(world) == 0
