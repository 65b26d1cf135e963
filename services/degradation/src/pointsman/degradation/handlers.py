"""Requests and readings on the bus: translated, handed on, answered. Nothing is decided here."""

from typing import Final

from faststream.nats import NatsRouter

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer
from pointsman.contracts.degradation import (
    AskHistory,
    AskLadders,
    EndOverride,
    HistoryRow,
    LadderRow,
    SetOverride,
)
from pointsman.contracts.telemetry import DeviceReading, PoolSample
from pointsman.degradation.climbing.ladders import Ladders
from pointsman.degradation.climbing.overrides import Overrides
from pointsman.degradation.climbing.questions import Questions
from pointsman.runtime.broker import body_decoder

_SERVICE: Final = "degradation"


def build_command_router(overrides: Overrides) -> NatsRouter:
    """Commands; each message is a pack of one verb, followed in its order."""
    router = NatsRouter()

    @router.subscriber(
        subjects.command(_SERVICE, "override"), decoder=body_decoder(list[SetOverride])
    )
    async def override(commands: list[SetOverride]) -> list[Answer]:
        return [await overrides.set(command) for command in commands]

    @router.subscriber(
        subjects.command(_SERVICE, "end_override"), decoder=body_decoder(list[EndOverride])
    )
    async def end_override(commands: list[EndOverride]) -> list[Answer]:
        return [await overrides.end(command) for command in commands]

    return router


def build_query_router(questions: Questions) -> NatsRouter:
    """Questions; see `pointsman.contracts.degradation` for the table."""
    router = NatsRouter()

    @router.subscriber(subjects.query(_SERVICE, "state"), decoder=body_decoder(AskLadders))
    async def state(_asked: AskLadders) -> list[LadderRow]:
        return questions.ladders()

    @router.subscriber(subjects.query(_SERVICE, "history"), decoder=body_decoder(AskHistory))
    async def history(asked: AskHistory) -> list[HistoryRow]:
        return questions.history(asked)

    return router


def build_telemetry_router(ladders: Ladders) -> NatsRouter:
    """Readings; lossy by design."""
    router = NatsRouter()

    @router.subscriber(subjects.pool_sample("*"), decoder=body_decoder(PoolSample))
    async def sampled(sample: PoolSample) -> None:
        ladders.sampled(sample)

    @router.subscriber(subjects.device_reading("*"), decoder=body_decoder(DeviceReading))
    async def measured(reading: DeviceReading) -> None:
        ladders.measured(reading)

    return router
