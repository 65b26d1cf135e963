"""Loads that operators ask for: granted first, open until they are done or have failed."""

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import DeviceMode
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.leading.pool_rows import model_rows
from tests.support.asked_residency import (
    a_pool,
    change_ends,
    changes,
    dedicated,
    runs,
)
from tests.support.scheduling import NOON, A, folded
from tests.support.steering import (
    WHY,
    changes_nothing,
    load,
    steered,
    told,
    unload,
)


def test_an_asked_load_is_granted_in_the_next_round_with_its_author_and_reason() -> None:
    history = a_pool(dedicated())

    assert told(history, load("slow", "gpu-0")) == "slow will be loaded on gpu-0"

    (change,) = changes(history)
    assert (change.device, change.load, change.unload) == ("gpu-0", "slow", ())
    assert (change.cause, change.by, change.reason) == ("operator", "cli:ada", WHY)
    assert [score.device for score in change.scores] == ["gpu-0"]
    assert changes(history) == []


def test_an_asked_load_goes_where_nothing_has_to_go_for_it() -> None:
    history = a_pool(dedicated("gpu-0", loaded=("fast",)), dedicated("gpu-1"))

    steered(history, load("slow"))

    (change,) = changes(history)
    assert (change.device, change.unload) == ("gpu-1", ())


def test_an_ask_is_over_when_the_device_has_the_model() -> None:
    history = a_pool(dedicated())
    steered(history, load("slow"))
    (change,) = changes(history)
    assert len(history.pool.steering.asks) == 1

    change_ends(history, change, "slow")

    assert len(history.pool.steering.asks) == 0
    assert told(history, load("slow")) == "slow is loaded on gpu-0 already"


def test_an_ask_that_failed_is_not_tried_again_until_somebody_asks_again() -> None:
    history = a_pool(dedicated())
    steered(history, load("slow"))
    (change,) = changes(history)

    failed = events.ResidencyFailed(
        at=NOON + 1,
        applied_to=0,
        device="gpu-0",
        generation=change.generation,
        code="out_of_memory",
        message="too large",
        retry_at=NOON + 31,
    )
    history.append(stream_id("device", "gpu-0"), failed)

    assert changes(history, NOON + 60) == []
    steered(history, load("slow"), at=NOON + 60)
    assert len(changes(history, NOON + 60)) == 1


def test_an_executor_that_comes_back_without_the_model_is_asked_again() -> None:
    history = a_pool(dedicated())
    steered(history, load("slow"))
    changes(history)

    history.append(
        stream_id("device", "gpu-0"), msgspec.structs.replace(dedicated(), incarnation="second")
    )

    (change,) = changes(history)
    assert change.incarnation == "second"


def test_without_a_device_an_idle_one_is_chosen() -> None:
    history = a_pool(dedicated("gpu-0", loaded=("fast",)), dedicated("gpu-1"))
    runs(history, A)
    steered(history, load("slow"))

    (change,) = changes(history)

    assert change.device == "gpu-1"
    assert {score.device for score in change.scores} == {"gpu-0", "gpu-1"}


def test_a_shared_device_takes_an_asked_model_beside_what_it_has() -> None:
    history = a_pool(dedicated(loaded=("fast",), mode=DeviceMode.SHARED))
    runs(history, A)
    steered(history, load("slow"))

    (change,) = changes(history)

    assert (change.unload, change.load) == ((), "slow")


def test_asking_again_for_what_is_asked_changes_nothing() -> None:
    history = a_pool(dedicated(loaded=("fast",)))
    steered(history, load("slow"))
    steered(history, unload("fast"))

    for command in (load("slow"), unload("fast"), load("fast"), unload("slow", "gpu-0")):
        expected = command != load("fast")
        assert changes_nothing(history, command) is expected


def test_open_asks_are_shown_with_their_model() -> None:
    history = a_pool(dedicated())
    steered(history, load("slow"))

    asked = {row.variant: row.asked for row in model_rows(history.pool)}
    changes(history)
    begun = {row.variant: row.asked for row in model_rows(history.pool)}

    assert asked == {"fast": (), "slow": ("load on any device",)}
    assert begun["slow"] == ("load on any device, running",)


def test_another_process_folds_the_same_asks() -> None:
    history = a_pool(dedicated(), dedicated("gpu-1"))
    steered(history, load("slow"))
    steered(history, load("fast", "gpu-1"))
    changes(history)

    again = folded(history.entries)

    assert [*again.steering.asks] == [*history.pool.steering.asks]
