"""Schedules at work: set and removed by commands, fired when they are due.

A due time makes one task, whoever leads meanwhile: its submission has an identity of its own, like
that of any other sender, and passes the same admission. What becomes of it is noted afterwards. One
that warms a model up asks for the load in the same append.
"""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Final, NoReturn

import structlog

from pointsman.contracts.commands import (
    MAX_PAYLOAD_BYTES,
    Accepted,
    Answer,
    Done,
    Duplicate,
    Rejected,
    Unavailable,
)
from pointsman.contracts.decided import Decided
from pointsman.contracts.message import BlobRef
from pointsman.contracts.refusals import NOT_LOADABLE
from pointsman.contracts.schedules import RemoveSchedule, ScheduleSteering, SetSchedule
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import Blobs, BlobsUnavailableError
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.admission.submitting import refuse_submit
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.schedules.decisions import (
    decide_fired,
    decide_made,
    decide_missed,
    decide_remove,
    decide_set,
    decide_warmed,
    submission,
)
from pointsman.scheduler.domain.schedules.pausing import decide_schedule_steering
from pointsman.scheduler.domain.schedules.timetable import Due, ScheduleId
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer
from pointsman.scheduler.domain.steering.devices import refuse_load
from pointsman.scheduler.leading.settling import Settling
from pointsman.scheduler.leading.submissions import Submissions

DOOR: Final = "schedule"
"""Whose ids the message ids of scheduled tasks are."""

AT_ONCE: Final = 64
"""Schedules that fire together share commits; at full hours many are due."""

_LOOK_AGAIN_S: Final = 1.0
_LONGEST_S: Final = 30.0
"""A clock that was set forward makes a task late by this much at most."""

_log = structlog.get_logger(__name__)


class Schedules:
    """The schedules of a pool. All methods run on one event loop."""

    def __init__(
        self, pool: Pool, settling: Settling, submissions: Submissions, blobs: Blobs, clock: Clock
    ) -> None:
        self._pool = pool
        self._settling = settling
        self._submissions = submissions
        self._blobs = blobs
        self._clock = clock
        self._changed = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._asks = asyncio.Lock()
        """Loads are asked for in one stream: one after the other, none loses a race."""

    # -- commands ----------------------------------------------------------------------------

    async def set(self, command: SetSchedule) -> Answer:
        """Set a schedule; its payload is stored before the log promises anything about it."""
        if len(command.payload) > MAX_PAYLOAD_BYTES:
            return Rejected(
                code="payload_too_large",
                message=f"{len(command.payload)} bytes, at most {MAX_PAYLOAD_BYTES} are taken",
                next="send a shorter input",
            )
        await self._settling.lead.give_way()
        self._settling.lead.require()
        payload: BlobRef | None = None
        if command.warm_up is None:
            # Used every hour while the schedule stands, and kept for its time after that.
            try:
                payload = await self._blobs.put(
                    command.tenant, command.payload, command.media_type, BlobKind.PAYLOAD
                )
            except BlobsUnavailableError as error:
                return Unavailable(retry_after_s=_LOOK_AGAIN_S, message=str(error))
        refused = self._refused(command, payload)
        if refused is not None:
            return refused

        def decide() -> Decided | None:
            decided = decide_set(self._pool, command, payload, at=self._clock.wall())
            return decided if isinstance(decided, Decided) else None

        changed = await self._settling.settle_one(decide)
        self._changed.set()
        detail = "set" if changed else "set like that already"
        return Done(detail=detail + self._warning((command.tenant, command.name)))

    def _refused(self, command: SetSchedule, payload: BlobRef | None) -> Rejected | None:
        decided = decide_set(self._pool, command, payload, at=self._clock.wall())
        if isinstance(decided, Rejected):
            return decided
        warm_up = command.warm_up
        return None if warm_up is None else refuse_load(self._pool, warm_up.variant, warm_up.device)

    def _warning(self, key: ScheduleId) -> str:
        """What would keep its task from being accepted now, and may not when it is due."""
        schedule, at = self._pool.timetable.get(key), self._clock.wall()
        task = None if schedule is None else submission(schedule, at, at=at)
        if task is None or task.payload_ref is None:
            return ""
        refused = refuse_submit(self._pool, task, task.payload_ref, at=at)
        if refused is None or refused.code != NOT_LOADABLE:
            return ""
        return f", and its tasks would be refused now: {refused.message}"

    async def remove(self, command: RemoveSchedule) -> Answer:
        """Remove a schedule; tasks that it has made go on."""
        await self._settling.lead.give_way()
        removed = await self._settling.settle_one(
            lambda: decide_remove(self._pool, command, at=self._clock.wall())
        )
        return Done(detail="removed" if removed else "there is no such schedule")

    async def steer(self, command: ScheduleSteering) -> Answer:
        """Pause a schedule or let it go on; what is so already changes nothing."""
        await self._settling.lead.give_way()
        steers: list[Steer] = []

        def decide() -> Decided | None:
            steer = decide_schedule_steering(self._pool, command, at=self._clock.wall())
            steers.append(steer)
            return steer.decided if isinstance(steer, Agreed) else None

        await self._settling.settle_one(decide)
        self._changed.set()
        last = steers[-1]
        return Done(detail=last.detail) if isinstance(last, Agreed) else last

    # -- due times ---------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Fire until cancelled; raises `FencedError` when another leads."""
        while True:
            self._changed.clear()
            wait_s = await self.fire_due()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def fire_due(self) -> float:
        """Settle every due time up to now; seconds until there is more to do."""
        async with self._one_at_a_time:
            try:
                done = await self._fire_all(self._at_hand())
            except LogUnavailableError as error:
                _log.warning("schedules_not_fired", code=error.code, detail=str(error))
                return _LOOK_AGAIN_S
        if not done:
            return _LOOK_AGAIN_S
        next_due = min((s.next_due() for s in self._pool.timetable.values()), default=inf)
        return min(max(0.0, next_due - self._clock.wall()), _LONGEST_S)

    def _at_hand(self) -> list[ScheduleId]:
        now = self._clock.wall()
        return [
            key
            for key, schedule in self._pool.timetable.items()
            if schedule.made is not None or schedule.next_due() <= now
        ]

    async def _fire_all(self, keys: Sequence[ScheduleId]) -> bool:
        """Settle what is due of several schedules; false if one has to be tried again.

        Raises what `_fire` does, for the first that failed and after the others have come back.
        """
        done = True
        for first in range(0, len(keys), AT_ONCE):
            some = keys[first : first + AT_ONCE]
            answers = await asyncio.gather(*map(self._fire, some), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
                done = done and answer
        return done

    async def _fire(self, key: ScheduleId) -> bool:
        """Settle what is due of one schedule; false if it has to be tried again."""
        await self._settling.settle_one(lambda: decide_made(self._pool, key, at=self._clock.wall()))
        schedule = self._pool.timetable.get(key)
        due = schedule.due(self._clock.wall()) if schedule is not None else None
        if schedule is None or due is None:
            return True
        if due.skipped:
            await self._note_missed(key, due, None)
            return True
        task = submission(schedule, due.time, at=self._clock.wall())
        if task is None:
            async with self._asks:
                await self._settling.settle_one(
                    lambda: decide_warmed(self._pool, key, due, at=self._clock.wall())
                )
            return True
        match await self._submissions.submit(task, door=DOOR):
            case Accepted(task=made) | Duplicate(task=made):
                await self._settling.settle_one(
                    lambda: decide_fired(self._pool, key, due, made, at=self._clock.wall())
                )
                return True
            case Rejected() as refusal:
                _log.warning("schedule_refused", schedule=key[1], code=refusal.code)
                await self._note_missed(key, due, refusal)
                return True
            case _:
                return False

    async def _note_missed(self, key: ScheduleId, due: Due, refusal: Rejected | None) -> None:
        await self._settling.settle_one(
            lambda: decide_missed(self._pool, key, due, refusal, at=self._clock.wall())
        )
