"""A judge over a whole log: what must hold of every history, whatever was killed meanwhile."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final, cast
from uuid import UUID

import msgspec

from pointsman.contracts.events import Decision, LeaderElected, TaskAccepted, TaskCompleted
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import (
    TERMINAL,
    TRANSITIONS,
    IllegalTransitionError,
    TaskState,
    next_state,
)
from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS, UPCASTERS

_TASK_EVENTS: Final = frozenset(event for _, event in TRANSITIONS)
_ENDS: Final = {event: after for (_, event), after in TRANSITIONS.items() if after in TERMINAL}


_OF_THE_GROUP: Final = ("model.", "dead_letter.", "schedule.")


@dataclass(frozen=True, slots=True)
class IllegalTransition:
    """An event that the task's state did not allow."""

    task: UUID
    position: int
    state: TaskState
    topic: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts, and everything that is wrong; empty lists are good."""

    events: int
    accepted: int
    ended: Mapping[TaskState, int]
    """Terminal events by the state that they lead to."""
    lost: tuple[UUID, ...]
    """Tasks that were accepted and have no terminal event; open ones while the run goes on."""
    duplicate_results: tuple[UUID, ...]
    """Tasks with more than one terminal event."""
    illegal_transitions: tuple[IllegalTransition, ...]
    version_faults: tuple[int, ...]
    """Positions whose version does not follow the one before in the same stream, from 1."""
    repeated_ids: tuple[UUID, ...]
    """Event ids that stand more than once in the log."""
    position_faults: tuple[int, ...]
    """Positions that are not greater than the one before."""
    time_faults: tuple[int, ...]
    """Positions whose time is not later than that of the one before."""
    epoch_faults: tuple[int, ...]
    """Positions written under an earlier leader than a position before in the same stream."""
    unreadable: tuple[int, ...]
    """Positions whose topic is not registered or whose bytes do not fit it."""

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """How many of each kind, kinds without any left out."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {
            name: len(cast("tuple[object, ...]", value))
            for name, value in found.items()
            if isinstance(value, tuple)
        }
        return {name: count for name, count in lists.items() if count}


def judge(log: Iterable[Recorded]) -> Verdict:
    """Look at a whole log in the order in which it was read, from its first event on."""
    judgement = _Judgement()
    for event in log:
        judgement.take(event)
    return judgement.verdict()


class _Judgement:
    def __init__(self) -> None:
        self._events = 0
        self._ids: Counter[UUID] = Counter()
        self._versions: dict[UUID, int] = {}
        self._epochs: dict[UUID, int] = {}
        self._elected: dict[str, int] = {}
        self._states: dict[UUID, TaskState] = {}
        self._accepted: dict[UUID, None] = {}
        self._ends: Counter[UUID] = Counter()
        self._ended: Counter[TaskState] = Counter()
        self._last: Recorded | None = None
        self._illegal: list[IllegalTransition] = []
        self._faults: dict[str, list[int]] = {
            name: [] for name in ("version", "position", "time", "epoch", "unreadable")
        }

    def take(self, event: Recorded) -> None:
        self._events += 1
        self._ids[event.id] += 1
        self._follow_order(event)
        self._follow_stream(event)
        type_ = _type_of(event.type)
        if event.type in AGGREGATE_TOPICS:
            pass
        elif type_ is None or not _readable(event):
            self._faults["unreadable"].append(event.position)
        elif type_ in _TASK_EVENTS:
            self._follow_task(event, type_)
        elif type_ is LeaderElected:
            self._follow_leader(event)
        self._last = event

    def verdict(self) -> Verdict:
        return Verdict(
            events=self._events,
            accepted=len(self._accepted),
            ended=dict(self._ended),
            lost=tuple(task for task in self._accepted if not self._ends[task]),
            duplicate_results=tuple(task for task, ends in self._ends.items() if ends > 1),
            illegal_transitions=tuple(self._illegal),
            version_faults=tuple(self._faults["version"]),
            repeated_ids=tuple(id for id, times in self._ids.items() if times > 1),
            position_faults=tuple(self._faults["position"]),
            time_faults=tuple(self._faults["time"]),
            epoch_faults=tuple(self._faults["epoch"]),
            unreadable=tuple(self._faults["unreadable"]),
        )

    def _follow_order(self, event: Recorded) -> None:
        if self._last is None:
            return
        if event.position <= self._last.position:
            self._faults["position"].append(event.position)
        if event.time_us <= self._last.time_us:
            self._faults["time"].append(event.position)

    def _follow_stream(self, event: Recorded) -> None:
        if event.version != self._versions.get(event.stream, 0) + 1:
            self._faults["version"].append(event.position)
        self._versions[event.stream] = event.version
        # Writers that lead nothing have epoch 0 and stand outside of the succession of leaders; in
        # streams that the pools of a group share, one pool's epoch says nothing of another's.
        if event.epoch and not event.type.startswith(_OF_THE_GROUP):
            if event.epoch < self._epochs.get(event.stream, 0):
                self._faults["epoch"].append(event.position)
            self._epochs[event.stream] = max(event.epoch, self._epochs.get(event.stream, 0))

    def _follow_task(self, event: Recorded, type_: type[Decision]) -> None:
        task = event.stream
        state = self._states.get(task, TaskState.NEW)
        if type_ is TaskAccepted:
            self._accepted[task] = None
        if type_ in _ENDS:
            self._ends[task] += 1
            self._ended[_ENDS[type_]] += 1
        try:
            self._states[task] = next_state(state, type_)
        except IllegalTransitionError:
            self._illegal.append(IllegalTransition(task, event.position, state, event.type))
        # Only the result of another task may complete one that was not granted.
        if type_ is TaskCompleted and state is TaskState.QUEUED and not _is_cached(event):
            self._illegal.append(IllegalTransition(task, event.position, state, event.type))

    def _follow_leader(self, event: Recorded) -> None:
        elected = _elected_decoder.decode(event.data)
        if elected.epoch <= self._elected.get(elected.pool, 0):
            self._faults["epoch"].append(event.position)
        self._elected[elected.pool] = max(elected.epoch, self._elected.get(elected.pool, 0))


_elected_decoder: Final = msgspec.json.Decoder(LeaderElected)
_decoders: Final = {topic: msgspec.json.Decoder(type_) for topic, type_ in TOPICS.items()}


_completed_decoder: Final = msgspec.json.Decoder(TaskCompleted)


def _is_cached(event: Recorded) -> bool:
    return bool(_completed_decoder.decode(event.data).cached_from)


def _type_of(topic: str) -> type[Decision] | None:
    while topic in UPCASTERS:
        topic, _ = UPCASTERS[topic]
    return TOPICS.get(topic)


def _readable(event: Recorded) -> bool:
    decoder = _decoders.get(event.type)
    if decoder is None:
        return True
    try:
        decoder.decode(event.data)
    except msgspec.MsgspecError:
        return False
    return True
