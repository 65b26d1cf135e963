"""What the feed tells, kept for as long as alerts and forecasts look back.

In memory, because it is a window: of a restart only open tasks and qualities are needed, which
the view has. Everything else fills itself again within a minute.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import structlog

from pointsman.contracts.events import QualityMeasured
from pointsman.contracts.message import Message
from pointsman.contracts.parts import SplitPlan
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.telemetry import POOL_EVERY_S, PoolSample
from pointsman.resource_monitor.domain.demand import AcceptedCounts
from pointsman.resource_monitor.domain.freshness import FeedProgress, fresh
from pointsman.resource_monitor.domain.quality import QualityWindow
from pointsman.resource_monitor.domain.task_window import TaskWindow, timed_class
from pointsman.resource_monitor.ports import OpenTask, RatedVariant
from pointsman.runtime.clock import Clock

_MICROSECONDS: Final = 1_000_000
_ENDS: Final = {
    f"task.{state}.v1": state
    for state in (
        TaskState.COMPLETED,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.EXPIRED,
        TaskState.SHED,
        TaskState.ABANDONED,
    )
}


class _Accepted(Message, frozen=True):
    """The fields of `TaskAccepted` that are counted by."""

    pool: str
    family: str
    priority_class: str
    split: SplitPlan | None = None
    not_before: float | None = None
    depends_on: tuple[str, ...] = ()


_accepted: Final = msgspec.json.Decoder(_Accepted)
_quality: Final = msgspec.json.Decoder(QualityMeasured)
_log = structlog.get_logger(__name__)


class FeedWindow:
    """Takes every event once, in log order, although the feed may deliver it again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.samples: dict[str, PoolSample] = {}
        self.forget()
        self._takers: dict[str, Callable[[Recorded], None]] = {
            "task.accepted.v1": self._task_accepted,
            "quality.measured.v1": self._quality_measured,
            **dict.fromkeys(_ENDS, self._task_ended),
        }

    def forget(self) -> None:
        """Begin anew, with nothing taken."""
        self.progress = FeedProgress()
        self.accepted = AcceptedCounts(self._clock.wall())
        self.pools: dict[str, TaskWindow] = {}
        self.quality = QualityWindow()

    def start(
        self, position: int, tasks: Sequence[OpenTask], qualities: Sequence[RatedVariant]
    ) -> None:
        """What the view holds at `position`; the feed goes on from there."""
        self.progress.took(position)
        for task in tasks:
            self._pool(task.pool).accepted(task.task.int, task.priority_class, task.accepted_at)
        for each in qualities:
            self.quality.measured(each.family, each.measured, each.at)

    def take(self, events: Sequence[Recorded]) -> None:
        """Events in log order; those taken before are passed over."""
        if not events:
            return
        last, takers = self.progress.position, self._takers
        for event in events:
            taker = takers.get(event.type)
            if taker is not None and event.position > last:
                try:
                    taker(event)
                except msgspec.MsgspecError as error:
                    # The view stops there and says so; a window only misses one task.
                    _log.error("event_unreadable", position=event.position, error=str(error))
        self.progress.took(events[-1].position)

    def sampled(self, sample: PoolSample) -> None:
        """A leader's reading of its pool."""
        self.samples[sample.pool] = sample
        self.progress.leader_at(sample.applied_to, sample.at)

    def fresh_samples(self, now: float) -> Iterator[PoolSample]:
        """Readings of pools that still say something."""
        for sample in self.samples.values():
            if fresh(sample.at, now=now, every_s=POOL_EVERY_S):
                yield sample

    @property
    def complete(self) -> bool:
        """Whether the feed is at most a few seconds behind the log."""
        return self.progress.fresh(self._clock.wall())

    def _pool(self, name: str) -> TaskWindow:
        pool = self.pools.get(name)
        if pool is None:
            pool = self.pools[name] = TaskWindow()
        return pool

    def _task_accepted(self, recorded: Recorded) -> None:
        event, at = _accepted.decode(recorded.data), recorded.time_us / _MICROSECONDS
        if event.split is None:
            # Of a task that runs in parts, those are the demand.
            self.accepted.accepted(event.family, at)
        sleeps = event.not_before is not None or bool(event.depends_on)
        timed = timed_class(event.priority_class, sleeps=sleeps)
        self._pool(event.pool).accepted(recorded.stream.int, timed, at)

    def _task_ended(self, recorded: Recorded) -> None:
        task, state = recorded.stream.int, _ENDS[recorded.type]
        at = recorded.time_us / _MICROSECONDS
        for pool in self.pools.values():
            if pool.ended(task, state, at):
                return

    def _quality_measured(self, recorded: Recorded) -> None:
        event = _quality.decode(recorded.data)
        self.quality.measured(event.family, event.measured, recorded.time_us / _MICROSECONDS)
