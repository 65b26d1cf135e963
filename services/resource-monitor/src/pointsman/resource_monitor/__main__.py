"""Composition root: settings, adapters, watches, routers."""

import sys
from typing import Final

from nats.aio.client import Client

from pointsman.contracts.telemetry import READING_EVERY_S
from pointsman.eventstore.feed import follow_feed
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import EventStore, LogUnavailableError
from pointsman.eventstore.service import Service
from pointsman.resource_monitor.adapters.host import PsutilHost
from pointsman.resource_monitor.adapters.nats_bus import (
    NatsExecutors,
    NatsPoolDevices,
    NatsReadings,
)
from pointsman.resource_monitor.adapters.nvml import NvmlGpus
from pointsman.resource_monitor.adapters.task_view import SqliteTaskView, WindowedSource
from pointsman.resource_monitor.adapters.triton_metrics import TritonMetrics
from pointsman.resource_monitor.domain.monitor import TOPICS, Monitor
from pointsman.resource_monitor.handlers import build_query_router, build_telemetry_router
from pointsman.resource_monitor.settings import Settings, metrics_addresses
from pointsman.resource_monitor.watching.alert_watch import AlertWatch
from pointsman.resource_monitor.watching.canary_watch import CanaryWatch
from pointsman.resource_monitor.watching.demand_watch import DemandWatch
from pointsman.resource_monitor.watching.device_watch import (
    LIST_EVERY_S,
    DeviceList,
    DeviceWatch,
)
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.resource_monitor.watching.questions import Questions
from pointsman.resource_monitor.watching.recording import SERVICE as NAME
from pointsman.resource_monitor.watching.recording import Recording
from pointsman.resource_monitor.watching.rounds import LOOK_EVERY_S, every
from pointsman.runtime.broker import ServiceBroker, build_broker, probe
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.service import ServiceScope


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    """Fold what was recorded, then watch; what comes from the feed follows when it is there."""
    await _Monitoring(scope, settings, store).start()


class _Monitoring:
    """The parts of one resource monitor while it starts."""

    def __init__(self, scope: ServiceScope, settings: Settings, store: EventStore) -> None:
        self.scope = scope
        self.settings = settings
        self.clock = SystemClock()
        self.monitor = Monitor()
        self.own = OwnEvents(store, settings.codec(), TOPICS, self.monitor.evolve)
        self.recording = Recording(self.own)
        self.window = FeedWindow(self.clock)

    async def start(self) -> None:
        scope = self.scope
        await self.own.load()
        scope.on_stop(self._forget_log, "own events")
        view = SqliteTaskView(self.settings.data, on_stopped=self._view_stopped)
        scope.on_stop(view.close, "view")
        self.window.start(
            view.runner.position, await view.open_tasks(), await view.recent_quality()
        )
        broker = self._broker()
        connection = await broker.connect()
        scope.on_stop(broker.stop, "broker")
        await probe(connection, user=self.settings.nats_user)
        questions = self._watch(connection, view)
        broker.include_router(build_telemetry_router(self.window))
        broker.include_router(build_query_router(questions))
        await broker.start()
        source = await follow_feed(scope, connection, NAME)
        scope.spawn(view.run(WindowedSource(source, self.window)), "view")

    def _broker(self) -> ServiceBroker:
        scope = self.scope
        return build_broker(
            self.settings.nats,
            name=NAME,
            on_fatal=scope.fatal,
            on_state=lambda connected, detail: scope.health.set("bus", connected, detail),
            transient=(LogUnavailableError,),
        )

    def _watch(self, nc: Client, view: SqliteTaskView) -> Questions:
        window, monitor, recording, clock = self.window, self.monitor, self.recording, self.clock
        engines = TritonMetrics(metrics_addresses(self.settings.resource_monitor_metrics))
        devices = DeviceList(NatsPoolDevices(nc, lambda: window.samples), clock)
        gpus = NvmlGpus()
        self.scope.on_stop(gpus.close, "nvml")
        readings = DeviceWatch(
            devices, PsutilHost(), gpus, engines, NatsReadings(nc), monitor, recording, clock
        )
        canaries = CanaryWatch(devices, NatsExecutors(nc), monitor, recording, clock)
        alerts = AlertWatch(devices, readings, window, monitor, recording, clock)
        demand = DemandWatch(window, monitor, recording, clock)

        async def look() -> None:
            await readings.record()
            await alerts.look()
            await demand.look()

        # Readings do not wait for the log, nor canaries for either.
        for period_s, work, name in (
            (LIST_EVERY_S, devices.ask, "device list"),
            (READING_EVERY_S, readings.read, "readings"),
            (LOOK_EVERY_S, look, "looks"),
            (LOOK_EVERY_S, canaries.run, "canaries"),
        ):
            self.scope.spawn(every(period_s, work), name)
        return Questions(devices, readings, canaries, window, monitor, view, engines, clock)

    async def _forget_log(self) -> None:
        self.own.close()

    def _view_stopped(self, name: str, reason: str) -> None:
        """An event of a newer release; questions are answered with what is known."""
        self.scope.health.set(f"view {name}", ok=False, detail=reason)


SERVICE: Final = Service(NAME, Settings, start)


def main() -> int:
    """Run the resource monitor alone; returns the exit status."""
    return SERVICE.run()


if __name__ == "__main__":
    sys.exit(main())
