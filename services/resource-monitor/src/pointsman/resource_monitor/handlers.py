"""Messages on the bus: translated and handed on. Nothing is decided here."""

from faststream.nats import NatsRouter

from pointsman.contracts import subjects
from pointsman.contracts.resource_monitor import (
    AlertRow,
    AskMonitor,
    ForecastRow,
    ListAlerts,
    ReadingRow,
    Snapshot,
)
from pointsman.contracts.telemetry import PoolSample
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.resource_monitor.watching.questions import Questions
from pointsman.resource_monitor.watching.recording import SERVICE
from pointsman.runtime.broker import body_decoder


def build_telemetry_router(window: FeedWindow) -> NatsRouter:
    """Readings of pools by their leaders."""
    router = NatsRouter()

    @router.subscriber(subjects.pool_sample("*"), decoder=body_decoder(PoolSample))
    async def sampled(sample: PoolSample) -> None:
        window.sampled(sample)

    return router


def build_query_router(questions: Questions) -> NatsRouter:
    """Questions; see `pointsman.contracts.resource_monitor` for the table."""
    router = NatsRouter()

    def query(verb: str) -> str:
        return subjects.query(SERVICE, verb)

    @router.subscriber(query("snapshot"), decoder=body_decoder(AskMonitor))
    async def snapshot(_asked: AskMonitor) -> Snapshot:
        return await questions.snapshot()

    @router.subscriber(query("alerts"), decoder=body_decoder(ListAlerts))
    async def alerts(asked: ListAlerts) -> list[AlertRow]:
        return questions.alerts(asked)

    @router.subscriber(query("forecasts"), decoder=body_decoder(AskMonitor))
    async def forecasts(_asked: AskMonitor) -> list[ForecastRow]:
        return questions.forecasts()

    @router.subscriber(query("readings"), decoder=body_decoder(AskMonitor))
    async def readings(_asked: AskMonitor) -> list[ReadingRow]:
        return questions.readings()

    return router
