"""A boost is decided again with the places that it was recorded with, or without any."""

import msgspec
import pytest

from pointsman.contracts import events
from tests.support.scheduling import B, Entry
from tests.support.steering import boost, steered, waiting
from tests.time_machine.test_replay import verified


def boosted(places: tuple[int, int] | None) -> list[Entry]:
    """The log of a release that records these."""
    history = waiting()
    (rekeyed,) = steered(history, boost(B, 25.0))
    assert isinstance(rekeyed, events.TaskRekeyed)
    assert rekeyed.places == (2, 1)
    *before, last = history.entries
    recorded = msgspec.structs.replace(rekeyed, places=places)
    return [*before, Entry(last.position, last.stream, last.version, recorded)]


@pytest.mark.parametrize("places", [(2, 1), None], ids=["recorded", "of an earlier release"])
def test_what_was_recorded_is_decided_again(places: tuple[int, int] | None) -> None:
    assert [d for d in verified(boosted(places)).differences if d.type == "task.rekeyed.v1"] == []


def test_other_places_are_a_difference() -> None:
    (found,) = [d for d in verified(boosted((7, 1))).differences if d.type == "task.rekeyed.v1"]

    assert (found.field, found.recorded, found.decided) == ("places", (7, 1), (2, 1))
