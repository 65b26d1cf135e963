"""A leader at work on a log in memory, with a clock, draws and executors that the test moves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pointsman.contracts.events import Decision, ModelRegistered
from pointsman.contracts.leases import Grant, Lease, LeaseOrder, LeaseReceipt
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.dead_letters import DeadLetterBox
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.leading.content import ContentReader
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.leading.folding import Folding
from pointsman.scheduler.leading.lead import Lead
from pointsman.scheduler.leading.past_tasks import PastTasks
from pointsman.scheduler.leading.pool_leader import PoolLeader
from pointsman.scheduler.leading.redrive import Redrive
from pointsman.scheduler.leading.registering import register_models
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.scheduler.leading.take_lead import Candidate
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.scheduling import attach, model, offer


@dataclass(slots=True)
class FixedDraws:
    """Implements `ports.Draws` with the same draw for ever."""

    draw: float = 0.5

    def uniform(self) -> float:
        return self.draw


@dataclass(slots=True)
class FakeRegistry:
    """Implements `ports.Registry` with the models of a test."""

    entries: Sequence[ModelRegistered]

    def models(self, *, at: float, applied_to: int) -> Sequence[ModelRegistered]:
        return self.entries


@dataclass(slots=True)
class FakeOrders:
    """Implements `ports.Orders`: remembers what was sent; answers while `reachable` is set."""

    seen_by_log: Callable[[], int] = lambda: 0
    sent: list[LeaseOrder] = field(default_factory=list[LeaseOrder])
    introduced: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Executors that were told of an epoch and nothing else."""
    heads: list[int] = field(default_factory=list[int])
    """Head of the log at the moment of each sending."""
    reachable: asyncio.Event = field(default_factory=asyncio.Event)
    bus: bool = True
    """Whether the bus answers."""
    stale: bool = False
    """Whether executors have seen a later epoch."""
    under_way: int = 0
    """Orders without receipt that are still being sent."""

    def __post_init__(self) -> None:
        self.reachable.set()

    async def send(self, executor: str, order: LeaseOrder) -> LeaseReceipt | None:
        if not order.grants and not order.cancels:
            self.introduced.append((executor, order.epoch))
            return None
        self.sent.append(order)
        self.heads.append(self.seen_by_log())
        self.under_way += 1
        try:
            async with asyncio.timeout(0.005):
                await self.reachable.wait()
        except TimeoutError:
            return None
        finally:
            self.under_way -= 1
        return LeaseReceipt(
            executor=executor,
            incarnation="first",
            stale_epoch=self.stale,
            held=tuple(Lease(task=grant.task, attempt=grant.attempt) for grant in order.grants),
        )

    async def bus_answers(self) -> bool:
        return self.bus

    @property
    def grants(self) -> list[Grant]:
        return [grant for order in self.sent for grant in order.grants]

    @property
    def cancels(self) -> list[Lease]:
        return [lease for order in self.sent for lease in order.cancels]


class KeptLead(Lead):
    """A lead whose renewals always come in time, however a test moves its clock."""

    @property
    def certain(self) -> bool:
        return self._over is None


@dataclass(slots=True)
class Scheduler:
    """The parts of a leading scheduler."""

    store: MemoryEventStore
    blobs: MemoryBlobs
    clock: FakeClock
    orders: FakeOrders
    pool: Pool
    lead: Lead
    log: DecisionLog
    clocks: LeaseClocks
    dispatch: Dispatch
    leader: PoolLeader
    submissions: Submissions
    dead_letters: DeadLetterBox
    redrive: Redrive
    broken: list[Exception]

    async def grant(self) -> None:
        """Decide and record one round; nothing is sent."""
        await self.log.record_all(decide_round(self.pool, at=self.clock.wall()))

    async def history(self) -> list[Decision]:
        """Every event of the log, in order."""
        codec = EventCodec()
        return [codec.decode(item.type, bytes(item.data)) for item in await self.store.read(0)]


@dataclass(slots=True)
class World:
    """What outlives a scheduler: the log, the blobs, the clock and the way to executors."""

    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    clock: FakeClock = field(default_factory=FakeClock)
    orders: FakeOrders = field(default_factory=FakeOrders)
    content: ContentReader = field(default_factory=lambda: ContentReader(None))


async def scheduler(world: World, *, holder: str = "here", name: str = "main") -> Scheduler:
    """A scheduler that has folded the log and leads the pool; its rounds do not run yet."""
    store, clock, pool, codec = world.store, world.clock, Pool(name), EventCodec()
    broken: list[Exception] = []
    folding = Folding(pool, store, codec, on_broken=broken.append)
    await folding.start()
    leadership = await Candidate(pool, store, codec, clock, holder=holder).elected()
    clocks = LeaseClocks(now=clock.monotonic())
    lead = KeptLead(store, leadership, clocks, clock, give_way_s=0.01)
    log = DecisionLog(store, codec, lead)
    await register_models(pool, log, FakeRegistry([model("fast")]), clock)
    world.orders.seen_by_log = lambda: pool.applied_to
    dispatch = Dispatch(pool, world.orders, lead, clocks, clock)
    leader = PoolLeader(pool, log, dispatch, clocks, clock, FixedDraws())
    await store.follow(lambda _: leader.wake())
    submissions = Submissions(
        pool, log, world.blobs, clock, past=PastTasks(store), see=world.content.see
    )
    return Scheduler(
        store=store,
        blobs=world.blobs,
        clock=clock,
        orders=world.orders,
        pool=pool,
        lead=lead,
        log=log,
        clocks=clocks,
        dispatch=dispatch,
        leader=leader,
        submissions=submissions,
        dead_letters=DeadLetterBox(log, world.blobs, clock, applied_to=lambda: pool.applied_to),
        redrive=Redrive(store, codec, log, world.blobs, submissions, clock),
        broken=broken,
    )


@asynccontextmanager
async def leading(world: World, *, slots: int = 1) -> AsyncGenerator[Scheduler]:
    """A scheduler that decides rounds, with one executor attached."""
    here = await scheduler(world)
    await here.leader.attach(attach(offer(slots=slots)))
    running = asyncio.ensure_future(here.leader.run())
    here.leader.wake()
    try:
        yield here
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await here.dispatch.drain()
    assert not here.broken, here.broken
