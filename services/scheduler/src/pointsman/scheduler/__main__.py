"""Composition root: settings, adapters, candidate, leader, routers."""

import os
import sys
from socket import gethostname
from typing import Final
from uuid import uuid4

from nats.aio.client import Client

from pointsman.eventstore.dead_letters import DeadLetterBox
from pointsman.eventstore.log_tail import LogTail
from pointsman.eventstore.ports import EventStore, Leadership, LogUnavailableError
from pointsman.eventstore.publications import PackedFeed, PublicEvents
from pointsman.eventstore.relay import Relay
from pointsman.eventstore.service import Service
from pointsman.policy.disk_room import Room
from pointsman.runtime.blob_sweep import BlobSweep
from pointsman.runtime.broker import ServiceBroker, build_broker, probe
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.collector import collector_at_rest
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision
from pointsman.scheduler.adapters.data_disk import DataDisk
from pointsman.scheduler.adapters.nats_inbox import NatsInbox
from pointsman.scheduler.adapters.nats_neighbours import NatsNeighbours
from pointsman.scheduler.adapters.nats_orders import NatsOrders
from pointsman.scheduler.adapters.nats_readings import NatsReadings
from pointsman.scheduler.adapters.own_files import open_own_files
from pointsman.scheduler.adapters.policy_file import PolicyFile
from pointsman.scheduler.adapters.registry_file import RegistryFile
from pointsman.scheduler.adapters.routing_file import RoutingOnDisk
from pointsman.scheduler.adapters.snapshot_files import SnapshotFiles
from pointsman.scheduler.adapters.system import SystemDraws
from pointsman.scheduler.adapters.views import TaskViews
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.handlers import (
    build_archive_router,
    build_command_router,
    build_group_router,
    build_preview_router,
    build_query_router,
    build_schedule_router,
    build_steering_router,
)
from pointsman.scheduler.leading.archive import TaskArchive
from pointsman.scheduler.leading.blob_keeping import keep_blobs
from pointsman.scheduler.leading.content import ContentReader
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.disk_watch import DiskWatch
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.leading.folding import Folding
from pointsman.scheduler.leading.forgetting import forget_commands
from pointsman.scheduler.leading.group_door import GroupDoor
from pointsman.scheduler.leading.lead import Lead
from pointsman.scheduler.leading.load_readings import LoadReader, publish_load
from pointsman.scheduler.leading.past_tasks import PastTasks
from pointsman.scheduler.leading.pool_leader import PoolLeader
from pointsman.scheduler.leading.pool_snapshots import keep_snapshots, newest_snapshot
from pointsman.scheduler.leading.preview import Preview
from pointsman.scheduler.leading.questions import Questions
from pointsman.scheduler.leading.redrive import Redrive
from pointsman.scheduler.leading.registering import register_files
from pointsman.scheduler.leading.schedules import Schedules
from pointsman.scheduler.leading.settling import Settling
from pointsman.scheduler.leading.steering import SteeringDesk
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.scheduler.leading.take_lead import Candidate, Standby
from pointsman.scheduler.settings import Settings

_SERVICE: Final = "scheduler"


class _Process:
    """The parts of one scheduler, which come to be while it starts and when it is elected."""

    def __init__(self, scope: ServiceScope, settings: Settings, store: EventStore) -> None:
        self.scope = scope
        self.settings = settings
        self.store = store
        self.clock = SystemClock()
        self.codec = settings.codec()
        self.registry = RegistryFile(settings.registry)
        self.routing = RoutingOnDisk(settings.routing)
        self.policy = PolicyFile(settings.policy)
        self.content = ContentReader(self.routing.prototypes)
        self.pool = Pool(settings.pool)
        self.snapshots = SnapshotFiles(settings.data / "snapshots")
        self.own = open_own_files(settings.data)
        scope.on_stop(self.own.blobs.close, "blobs")
        self.lead: Lead | None = None
        self.leader: PoolLeader | None = None

    async def start(self) -> None:
        """Lead the pool and answer, or stand by until it can be led; nobody is answered before."""
        scope, settings = self.scope, self.settings
        folding = Folding(self.pool, self.store, self.codec, on_broken=scope.fatal)
        scope.on_stop(folding.stop, "folding")
        with collector_at_rest():
            await newest_snapshot(self.pool, self.store, self.snapshots)
            await folding.start()
        # Registered before the broker, so that it comes after the last answer.
        scope.on_stop(self._resign, "lead")
        broker = self._broker()
        connection = await broker.connect()
        scope.on_stop(broker.stop, "broker")
        await probe(connection, user=settings.nats_user)
        # Whoever leads needs the streams; making them takes a part of a take-over's time.
        await provision(connection)
        tail = await LogTail.following(self.store)
        scope.on_stop(tail.close, "log tail")
        views = self._views(tail)
        candidate = self._candidate(connection)

        async def serve(leadership: Leadership) -> None:
            await self._serve(leadership, broker, connection, tail, views)

        async def stand_by() -> None:
            await serve(await candidate.elected())

        match await candidate.stand():
            case Leadership() as leadership:
                await serve(leadership)
            case Standby(reason=reason):
                self._standing_by(reason)
                scope.spawn(stand_by(), "candidate")

    def _candidate(self, nc: Client) -> Candidate:
        return Candidate(
            self.pool,
            self.store,
            self.codec,
            self.clock,
            holder=f"{gethostname()}-{os.getpid()}-{uuid4().hex[:8]}",
            fit=lambda: nc.is_connected,
            on_standby=self._standing_by,
        )

    def _standing_by(self, reason: str) -> None:
        self.scope.health.set("lead", ok=True, detail=f"standby, {reason}")

    async def _serve(
        self,
        leadership: Leadership,
        broker: ServiceBroker,
        nc: Client,
        tail: LogTail,
        views: TaskViews,
    ) -> None:
        scope, store, pool, clock = self.scope, self.store, self.pool, self.clock
        clocks = LeaseClocks(now=clock.monotonic())
        self.lead = lead = Lead(store, leadership, clocks, clock, on_state=self._lead_changed)
        scope.health.set("lead", ok=True, detail=lead.name)
        scope.spawn(lead.keep(), "lead keeper")
        log = DecisionLog(store, self.codec, lead)
        await register_files(pool, log, self.registry, self.routing, self.policy, clock)
        scope.spawn(forget_commands(store), "inbox rows")
        scope.spawn(keep_snapshots(pool, store, self.snapshots, clock), "snapshots")
        relay = self._publish(tail, nc)
        leader = await self._lead(log, clocks, nc)
        sweep = BlobSweep(self.settings.data / "blobs", self.settings.blob_keep_s)
        scope.spawn(keep_blobs(pool, sweep), "blobs")
        submissions = self._submissions(log)
        schedules = Schedules(pool, Settling(log), submissions, self.own.blobs, clock)
        scope.spawn(schedules.run(), "schedules")
        reader = LoadReader(pool, clock, submissions.shed)
        scope.spawn(publish_load(reader, NatsReadings(nc)), "load readings")
        door = await self._door(nc, submissions)
        redrive = Redrive(store, self.codec, log, self.own.blobs, submissions, clock)
        broker.include_routers(
            build_command_router(pool.name, leader, submissions, redrive),
            build_schedule_router(pool.name, schedules),
            build_steering_router(pool.name, SteeringDesk(pool, log, clock)),
            build_archive_router(pool.name, TaskArchive(store, clock)),
            build_group_router(pool.name, door, reader),
            build_query_router(pool.name, self._questions(views, relay, clocks), lead),
            build_preview_router(pool.name, Preview(pool, self.content, clock)),
        )
        await broker.start()
        letters = DeadLetterBox(log, self.own.blobs, clock, applied_to=lambda: pool.applied_to)
        self._take_tasks(nc, door, letters)

    def _submissions(self, log: DecisionLog) -> Submissions:
        disk = DiskWatch(
            DataDisk(self.settings.data, budget_mib=self.settings.disk_budget_mib), self._disk_fills
        )
        self.scope.spawn(disk.run(), "disk")
        past = PastTasks(self.store)
        return Submissions(
            self.pool, log, self.own.blobs, self.clock,
            past=past, no_room=disk.refusal, see=self.content.see,
        )  # fmt: skip

    def _questions(self, views: TaskViews, relay: Relay, clocks: LeaseClocks) -> Questions:
        return Questions(
            self.pool,
            self.store,
            self.codec,
            views,
            feed_position=lambda: relay.position,
            pid=os.getpid(),
            now=self.clock.wall,
            progress=clocks.progress,
        )

    def _broker(self) -> ServiceBroker:
        return build_broker(
            self.settings.nats,
            name=_SERVICE,
            on_fatal=self.scope.fatal,
            on_state=self._bus_changed,
            transient=(LogUnavailableError,),
        )

    async def _door(self, nc: Client, submissions: Submissions) -> GroupDoor:
        neighbours = NatsNeighbours(nc, self.clock)
        await neighbours.listen()
        self.scope.on_stop(neighbours.stop, "neighbours")
        name, load, now = self.pool.name, neighbours.load, self.clock.monotonic
        return GroupDoor(name, submissions, neighbours, load, SystemDraws(), now)

    def _take_tasks(self, nc: Client, door: GroupDoor, letters: DeadLetterBox) -> None:
        inbox = NatsInbox(nc, door, letters, self.clock, lambda: provision(nc))
        self.scope.spawn(inbox.run(), "inbox", finish=True)
        self.scope.on_stop(inbox.stop, "inbox puller")

    def _bus_changed(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - the runtime's
        self.scope.health.set("bus", connected, detail)
        if self.leader is not None:
            self.leader.connection_changed(connected=connected)

    def _lead_changed(self, certain: bool, detail: str) -> None:  # noqa: FBT001 - a state
        self.scope.health.set("lead", certain, detail)

    def _disk_fills(self, room: Room, detail: str) -> None:
        self.scope.health.set("disk", room is not Room.FULL, detail)

    async def _resign(self) -> None:
        if self.lead is not None:
            await self.lead.resign()

    def _publish(self, tail: LogTail, nc: Client) -> Relay:
        async def provide() -> None:
            await provision(nc)

        relays = [
            Relay(self.store, nc, publication, provision=provide, log=tail)
            for publication in (PackedFeed(), PublicEvents(self.settings.pool))
        ]
        for relay in relays:
            self.scope.spawn(relay.run(), f"relay {relay.stream}")
        return relays[0]

    def _views(self, tail: LogTail) -> TaskViews:
        views = TaskViews(self.own.views, tail, on_stopped=self._view_stopped)
        self.scope.on_stop(views.close, "views")
        self.scope.spawn(views.run(), "views")
        return views

    def _view_stopped(self, name: str, reason: str) -> None:
        """A view met an event of a newer release; it answers with what it has, the rest goes on."""
        self.scope.health.set(f"view {name}", ok=False, detail=reason)

    async def _lead(self, log: DecisionLog, clocks: LeaseClocks, nc: Client) -> PoolLeader:
        orders = NatsOrders(nc, self.pool.name)
        dispatch = Dispatch(self.pool, orders, log.lead, clocks, self.clock)
        self.scope.on_stop(dispatch.drain, "dispatch")
        leader = PoolLeader(self.pool, log, dispatch, clocks, self.clock, SystemDraws())
        # After the pool, which has folded what it is woken for.
        end = await self.store.follow(lambda _: leader.wake())

        async def sleep() -> None:
            end()

        self.scope.on_stop(sleep, "waking")
        self.leader = leader
        leader.connection_changed(connected=nc.is_connected)
        self.scope.spawn(leader.run(), "leader")
        return leader


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    """Return when the pool is led and requests are taken, or another leads it."""
    await _Process(scope, settings, store).start()


SERVICE: Final = Service(_SERVICE, Settings, start)


def main() -> int:
    """Run the scheduler; returns the exit status."""
    return SERVICE.run()


if __name__ == "__main__":
    sys.exit(main())
