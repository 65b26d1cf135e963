"""Commands of operators: decided on folded state, recorded once per command id, then answered."""

import hashlib
from typing import Final

import msgspec

from pointsman.contracts.commands import Answer, Done, Rejected, decode_answer, encode_answer
from pointsman.contracts.steering import LoadModel, SteeringCommand
from pointsman.eventstore.ports import (
    Appended,
    Command,
    DuplicateCommand,
    LogUnavailableError,
)
from pointsman.runtime.clock import Clock
from pointsman.scheduler import telemetry
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.steering.agreed import Agreed
from pointsman.scheduler.domain.steering.commands import decide_steering
from pointsman.scheduler.domain.steering.devices import refuse_load
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.settling import TRIES

_CONSUMER: Final = "steering"


class SteeringDesk:
    """Takes what operators ask of a pool. All methods run on one event loop."""

    def __init__(self, pool: Pool, log: DecisionLog, clock: Clock) -> None:
        self._pool = pool
        self._log = log
        self._clock = clock

    async def steer(self, command: SteeringCommand) -> Answer:
        """Record what was asked for; repeating it changes nothing.

        Raises `FencedError` and `LogUnavailableError`.
        """
        answer = await self._steer(command)
        verb = str(command.__struct_config__.tag)
        status = str(answer.__struct_config__.tag)
        telemetry.STEERINGS.add(1, {"pointsman.verb": verb, "status": status})
        return answer

    async def _steer(self, command: SteeringCommand) -> Answer:
        await self._log.lead.give_way()
        for _ in range(TRIES):
            self._log.lead.require()
            steer = decide_steering(self._pool, command, at=self._clock.wall())
            if not isinstance(steer, Agreed):
                return steer
            if isinstance(command, LoadModel):
                refused = refuse_load(self._pool, command.variant, command.device)
                if refused is not None:
                    return refused
            done = Done(detail=steer.detail)
            answer = await self._log.record(steer.decided, _identity(command, done))
            match answer:
                case Appended():
                    return done
                case DuplicateCommand(reply=reply, same_request=same_request):
                    return decode_answer(reply) if same_request else _id_reused(command)
                case _:
                    continue
        detail = "a decision lost too many races"
        raise LogUnavailableError(detail)


def _identity(command: SteeringCommand, done: Done) -> Command:
    return Command(
        consumer=_CONSUMER,
        tenant="",
        message_id=command.command_id,
        request_hash=hashlib.sha256(msgspec.json.encode(command)).digest(),
        reply=encode_answer(done),
    )


def _id_reused(command: SteeringCommand) -> Rejected:
    return Rejected(
        code="id_reused",
        message=f"another command came under the id {command.command_id} before",
        next="use a new id for a new command",
    )
