"""What follows from ratings and behaviour: decided on the fold, recorded, folded again."""

import asyncio
from typing import Final

import structlog

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision, FeedbackGiven, FeedbackWithdrawn
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import stream_id
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.feedback import telemetry
from pointsman.feedback.domain import behaviour
from pointsman.feedback.domain.learned import Learned, Registry
from pointsman.feedback.ports import RegisteredVariant, TaskFacts
from pointsman.runtime.clock import Clock

# Ratings of a moment are learned from together.
_PAUSE_S: Final = 0.25
_RETRY_S: Final = 1.0
_CATCH_UP_S: Final = 5.0

_log = structlog.get_logger(__name__)


class Learner:
    """Appends what the fold demands and does not hold yet, so that a crash repeats nothing.

    Every event here changes what the next decision stands on, and is refused when its stream has
    moved on: each follows once.
    """

    def __init__(
        self,
        learned: Learned,
        tasks: TaskFacts,
        clock: Clock,
        *,
        window_s: float,
        measure_every_s: float,
    ) -> None:
        self._learned = learned
        self._tasks = tasks
        self._clock = clock
        self._window_s = window_s
        self._measure_every_s = measure_every_s
        self._woken = asyncio.Event()

    def evolve(self, recorded: Recorded, event: Decision) -> None:
        """Fold one own event; ratings wake the loop."""
        self._learned.evolve(recorded, event)
        if isinstance(event, FeedbackGiven | FeedbackWithdrawn):
            self._woken.set()

    async def run(self, own: OwnEvents) -> None:
        """Until cancelled."""
        # A registry that is known in part would look as if variants were gone.
        while not await self._tasks.up_to_date(timeout_s=_CATCH_UP_S):
            _log.info("tasks_awaited", position=self._tasks.position)
            await asyncio.sleep(_RETRY_S)
        measure_at = self._clock.monotonic()
        while True:
            self._woken.clear()
            try:
                await self.learn(own)
                if self._clock.monotonic() >= measure_at:
                    measure_at = self._clock.monotonic() + self._measure_every_s
                    await self.measure(own)
            except LogUnavailableError as error:
                _log.warning("lesson_not_recorded", code=error.code, detail=str(error))
                await asyncio.sleep(_RETRY_S)
                continue
            await asyncio.sleep(_PAUSE_S)
            await self._wait(max(0.0, measure_at - self._clock.monotonic()))

    async def learn(self, own: OwnEvents) -> None:
        """Quality, preferences and thresholds, from the ratings; raises `LogUnavailableError`."""
        registry = _by_family(await self._tasks.variants())
        due = self._learned.follow_ups(registry, at=self._clock.wall(), applied_to=own.position)
        for stream, event in list(due):
            await _record(own, own.decided(stream, event))

    async def measure(self, own: OwnEvents) -> None:
        """Metrics of every pool and what they demand; raises `LogUnavailableError`."""
        at = self._clock.wall()
        since = at - self._window_s
        for pool, window in (await self._tasks.windows(since)).items():
            average = self._learned.ratings.average(pool, since=since)
            events = behaviour.decide(
                self._learned.behaviour_of(pool),
                pool,
                behaviour.measure(window, average),
                window_s=self._window_s,
                at=at,
                applied_to=self._tasks.position,
            )
            stream = stream_id("behaviour", pool)
            if due := tuple(events):
                await _record(own, own.decided(stream, *due))

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return


async def _record(own: OwnEvents, decided: Decided) -> None:
    # A conflict means that an append in doubt has landed; it is folded now, and decided on next.
    await own.record(decided)
    for event in decided.events:
        telemetry.DECISIONS.add(1, {"event": type(event).__name__})


def _by_family(variants: list[RegisteredVariant]) -> Registry:
    registry: dict[str, list[str]] = {}
    for each in variants:
        registry.setdefault(each.family, []).append(each.variant)
    return registry
