"""The resource monitor's watches on a log and a world in memory, under a clock of one's own."""

from dataclasses import dataclass, field

from pointsman.contracts.events import Decision
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.own_events import OwnEvents
from pointsman.resource_monitor.domain.monitor import TOPICS, Monitor
from pointsman.resource_monitor.watching.alert_watch import AlertWatch
from pointsman.resource_monitor.watching.canary_watch import CanaryWatch
from pointsman.resource_monitor.watching.demand_watch import DemandWatch
from pointsman.resource_monitor.watching.device_watch import DeviceList, DeviceWatch
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.resource_monitor.watching.questions import Questions
from pointsman.resource_monitor.watching.recording import Recording
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.resource_monitor.fakes import (
    FakeEngines,
    FakeExecutors,
    FakeGpus,
    FakeHost,
    FakePoolDevices,
    FeedLog,
    MemoryReadings,
    MemoryTaskView,
    pool_sample,
)


@dataclass
class World:
    """What outlives a monitor."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    pool: FakePoolDevices = field(default_factory=FakePoolDevices)
    host: FakeHost = field(default_factory=FakeHost)
    gpus: FakeGpus = field(default_factory=FakeGpus)
    engines: FakeEngines = field(default_factory=FakeEngines)
    executors: FakeExecutors = field(default_factory=FakeExecutors)
    readings: MemoryReadings = field(default_factory=MemoryReadings)
    view: MemoryTaskView = field(default_factory=MemoryTaskView)
    log: FeedLog = field(default_factory=FeedLog)

    async def recorded(self, *types: type[Decision]) -> list[Decision]:
        """The monitor's own events in log order."""
        codec = EventCodec()
        events = [codec.decode(each.type, bytes(each.data)) for each in await self.store.read(0)]
        return [event for event in events if not types or isinstance(event, types)]


class Watched:
    """One life of a resource monitor."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.monitor = Monitor()
        clock = world.clock
        self.own = OwnEvents(world.store, EventCodec(), TOPICS, self.monitor.evolve)
        recording = Recording(self.own)
        self.window = FeedWindow(clock)
        self.devices = DeviceList(world.pool, clock)
        self.readings = DeviceWatch(
            self.devices,
            world.host,
            world.gpus,
            world.engines,
            world.readings,
            self.monitor,
            recording,
            clock,
        )
        self.canaries = CanaryWatch(self.devices, world.executors, self.monitor, recording, clock)
        self.alerts = AlertWatch(
            self.devices, self.readings, self.window, self.monitor, recording, clock
        )
        self.demand = DemandWatch(self.window, self.monitor, recording, clock)
        self.questions = Questions(
            self.devices,
            self.readings,
            self.canaries,
            self.window,
            self.monitor,
            world.view,
            world.engines,
            clock,
        )

    @classmethod
    async def on(cls, world: World) -> "Watched":
        watched = cls(world)
        await watched.own.load()
        return watched

    def hear(self, *, leader: bool = True) -> None:
        """Take the feed up to its end, and a leader's word that this is all."""
        self.window.take(self.world.log.events)
        if leader:
            self.window.sampled(pool_sample(self.world.clock.wall(), len(self.world.log.events)))

    async def look(self, *, leader: bool = True) -> None:
        """One second: everything is read and looked at once."""
        await self.devices.ask()
        await self.readings.read()
        self.hear(leader=leader)
        await self.readings.record()
        await self.alerts.look()
        await self.demand.look()
        await self.canaries.run()

    async def pass_seconds(self, seconds: int, *, leader: bool = True) -> None:
        for _ in range(seconds):
            self.world.clock.passes(1)
            await self.look(leader=leader)
