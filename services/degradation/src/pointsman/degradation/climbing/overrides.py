"""An operator's will over the ladder: recorded once per command id."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from pointsman.contracts.commands import Answer, Done, Rejected, decode_answer, encode_answer
from pointsman.contracts.degradation import EndOverride, SetOverride
from pointsman.contracts.events import Decision
from pointsman.degradation.climbing.climber import SERVICE, Climber
from pointsman.degradation.climbing.ladders import Ladders
from pointsman.eventstore.ports import (
    Appended,
    Command,
    DuplicateCommand,
    Fenced,
    Held,
    LogUnavailableError,
    VersionConflict,
)
from pointsman.runtime.clock import Clock

_TRIES: Final = 8
"""A stream has one writer, so that a lost race means a restart elsewhere; a bound keeps a defect
from spinning."""


class Overrides:
    """Sets and ends overrides of the ladder that a command names."""

    def __init__(self, ladders: Ladders, clock: Clock) -> None:
        self._ladders = ladders
        self._clock = clock

    async def set(self, command: SetOverride) -> Answer:
        """Raises `LogUnavailableError`."""

        def done() -> Done:
            until = datetime.fromtimestamp(self._clock.wall() + command.ttl_s, tz=UTC)
            return Done(detail=f"{command.pool} is held at {command.level} until {until:%F %T} UTC")

        return await self._record(command, done)

    async def end(self, command: EndOverride) -> Answer:
        """Raises `LogUnavailableError`."""
        followed = Done(detail=f"the ladder of {command.pool} follows its signals")
        return await self._record(command, lambda: followed)

    async def _record(self, command: SetOverride | EndOverride, told: Callable[[], Done]) -> Answer:
        climber = self._ladders.of(command.pool)
        if climber is None:
            return _unknown_pool(command.pool, self._ladders.pools)
        refusal = climber.steps.refusal(command)
        if refusal is not None:
            return refusal
        done = told()
        identity = Command(
            consumer=SERVICE,
            tenant="",
            message_id=command.command_id,
            request_hash=hashlib.sha256(_request(command)).digest(),
            reply=encode_answer(done),
        )
        async with climber.lock:
            for _ in range(_TRIES):
                events = self._decide(climber, command)
                if not events:
                    return Done(detail="no override stands")
                match await climber.append(*events, command=identity):
                    case Appended():
                        return done
                    case DuplicateCommand(reply=reply, same_request=same):
                        return decode_answer(reply) if same else _reused(command.command_id)
                    case VersionConflict() | Fenced() | Held():
                        continue
        raise LogUnavailableError("another writer changes the ladder; repeat the command")

    def _decide(self, climber: Climber, command: SetOverride | EndOverride) -> tuple[Decision, ...]:
        at, stand = self._clock.wall(), climber.record.stand
        steps, applied_to = climber.steps, climber.applied_to
        match command:
            case SetOverride():
                pressure = climber.pressure(at)
                return steps.overridden(command, stand, pressure, at=at, applied_to=applied_to)
            case EndOverride():
                if stand.override is None:
                    return ()
                return (steps.override_ended(command.by, at=at, applied_to=applied_to),)


def _unknown_pool(pool: str, known: Sequence[str]) -> Rejected:
    return Rejected(
        code="unknown_pool",
        message=f"there is no ladder of a pool {pool!r} here",
        next=f"name one of these: {', '.join(known)}; a new pool is known with its first sample",
    )


def _request(command: SetOverride | EndOverride) -> bytes:
    return type(command).__name__.encode() + msgspec.json.encode(command)


def _reused(command_id: str) -> Rejected:
    return Rejected(
        code="id_reused",
        message=f"another command came under the id {command_id!r} before",
        next="use a new id for a new command",
    )
