"""The order of the queue: one static key per task, a virtual deadline.

Effective priority of task i at time t is `p_i(t) = b_i + r (t - a_i)`. All tasks age at one rate,
so t cancels in every comparison and a key fixed at admission gives the same order for ever; the
queue is never re-sorted. A later task j passes an earlier i only if `a_j - a_i < W_i - W_floor_j`,
so nothing starves inside a class.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from pointsman.contracts.events import KeyComponents
from pointsman.contracts.message import PriorityClass

MAX_BOOST_S: Final = 300.0

_DAY_S: Final = 86_400.0


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How soon after arrival a class is due (`due_s`), and never sooner than `floor_s`."""

    due_s: Annotated[float, msgspec.Meta(ge=0, le=_DAY_S)]
    floor_s: Annotated[float, msgspec.Meta(ge=0, le=_DAY_S)]

    def __post_init__(self) -> None:
        if self.floor_s > self.due_s:
            raise ValueError(f"floor_s {self.floor_s:g} is later than due_s {self.due_s:g}")


# The floor keeps a batch with an invented deadline from owning the queue: however near its
# deadline, it is not due before its floor.
WINDOWS: Final[Mapping[PriorityClass, Window]] = MappingProxyType(
    {
        PriorityClass.INTERACTIVE: Window(due_s=1.0, floor_s=0.0),
        PriorityClass.STANDARD: Window(due_s=30.0, floor_s=1.0),
        PriorityClass.BATCH: Window(due_s=120.0, floor_s=30.0),
        PriorityClass.BACKGROUND: Window(due_s=600.0, floor_s=300.0),
    }
)


def allowed_boost(
    priority_class: PriorityClass,
    boost_s: float,
    windows: Mapping[PriorityClass, Window] = WINDOWS,
    max_boost_s: float = MAX_BOOST_S,
) -> float:
    """The part of a requested boost that counts: within [0, min(window, 300 s)]."""
    return max(0.0, min(boost_s, windows[priority_class].due_s, max_boost_s))


def virtual_deadline(
    priority_class: PriorityClass,
    *,
    arrival: float,
    boost_s: float,
    latest_start: float | None,
    windows: Mapping[PriorityClass, Window] = WINDOWS,
    max_boost_s: float = MAX_BOOST_S,
) -> float:
    """The key of a task: when it is due to start, seconds since the epoch.

    `key = max(arrival + floor, min(arrival + window - boost, latest_start))`.
    """
    boost_s = allowed_boost(priority_class, boost_s, windows, max_boost_s)
    return _due(windows[priority_class], arrival, boost_s, latest_start)


def operator_boost(
    priority_class: PriorityClass,
    boost_s: float,
    windows: Mapping[PriorityClass, Window] = WINDOWS,
) -> float:
    """The part of an operator's boost that counts: up to the window of the class.

    For background work that is 600 s where a caller has 300 s. The floor of the class stays: what
    has to be due before that is moved to a more urgent class.
    """
    return max(0.0, min(boost_s, windows[priority_class].due_s))


def steered_deadline(
    priority_class: PriorityClass,
    *,
    arrival: float,
    boost_s: float,
    latest_start: float | None,
    windows: Mapping[PriorityClass, Window] = WINDOWS,
) -> float:
    """The key of a task that an operator has boosted or moved; as `virtual_deadline` otherwise."""
    boost_s = operator_boost(priority_class, boost_s, windows)
    return _due(windows[priority_class], arrival, boost_s, latest_start)


def _due(window: Window, arrival: float, boost_s: float, latest_start: float | None) -> float:
    due = arrival + window.due_s - boost_s
    if latest_start is not None:
        due = min(due, latest_start)
    return max(arrival + window.floor_s, due)


def components(
    priority_class: PriorityClass,
    *,
    arrival: float,
    boost_s: float,
    key: float,
    now: float,
    windows: Mapping[PriorityClass, Window] = WINDOWS,
    max_boost_s: float = MAX_BOOST_S,
) -> KeyComponents:
    """Take a key apart into the named components that a decision reports.

    A key was made with the windows of its acceptance; where others hold since, `deadline_s` tells
    the difference to what they would have made of it.
    """
    window = windows[priority_class]
    boost = allowed_boost(priority_class, boost_s, windows, max_boost_s)
    pulled_forward = round((arrival + window.due_s - boost) - key, 6)
    return KeyComponents(
        base_s=window.due_s,
        boost_s=boost,
        deadline_s=pulled_forward if pulled_forward > 0 else None,
        floor_s=window.floor_s,
        age_s=round(now - arrival, 6),
    )
