"""An operator's will over the ladder: recorded once per command id."""

import hashlib
from datetime import UTC, datetime
from typing import Final

import msgspec

from pointsman.contracts.commands import Answer, Done, Rejected, decode_answer, encode_answer
from pointsman.contracts.degradation import EndOverride, SetOverride
from pointsman.contracts.events import Decision
from pointsman.degradation.climbing.climber import SERVICE, Climber
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
    """Sets and ends overrides of one pool's ladder."""

    def __init__(self, climber: Climber, clock: Clock) -> None:
        self._climber = climber
        self._clock = clock

    async def set(self, command: SetOverride) -> Answer:
        """Raises `LogUnavailableError`."""
        refusal = self._climber.steps.refusal(command)
        if refusal is not None:
            return refusal
        until = datetime.fromtimestamp(self._clock.wall() + command.ttl_s, tz=UTC)
        done = Done(detail=f"{command.pool} is held at {command.level} until {until:%F %T} UTC")
        return await self._record(command, done)

    async def end(self, command: EndOverride) -> Answer:
        """Raises `LogUnavailableError`."""
        refusal = self._climber.steps.refusal(command)
        if refusal is not None:
            return refusal
        done = Done(detail=f"the ladder of {command.pool} follows its signals")
        return await self._record(command, done)

    async def _record(self, command: SetOverride | EndOverride, done: Done) -> Answer:
        identity = Command(
            consumer=SERVICE,
            tenant="",
            message_id=command.command_id,
            request_hash=hashlib.sha256(_request(command)).digest(),
            reply=encode_answer(done),
        )
        async with self._climber.lock:
            for _ in range(_TRIES):
                events = self._decide(command)
                if not events:
                    return Done(detail="no override stands")
                match await self._climber.append(*events, command=identity):
                    case Appended():
                        return done
                    case DuplicateCommand(reply=reply, same_request=same):
                        return decode_answer(reply) if same else _reused(command.command_id)
                    case VersionConflict() | Fenced() | Held():
                        continue
        raise LogUnavailableError("another writer changes the ladder; repeat the command")

    def _decide(self, command: SetOverride | EndOverride) -> tuple[Decision, ...]:
        at, stand = self._clock.wall(), self._climber.record.stand
        steps, applied_to = self._climber.steps, self._climber.applied_to
        match command:
            case SetOverride():
                pressure = self._climber.pressure(at)
                return steps.overridden(command, stand, pressure, at=at, applied_to=applied_to)
            case EndOverride():
                if stand.override is None:
                    return ()
                return (steps.override_ended(command.by, at=at, applied_to=applied_to),)


def _request(command: SetOverride | EndOverride) -> bytes:
    return type(command).__name__.encode() + msgspec.json.encode(command)


def _reused(command_id: str) -> Rejected:
    return Rejected(
        code="id_reused",
        message=f"another command came under the id {command_id!r} before",
        next="use a new id for a new command",
    )
