"""Orders of changes of what a device has loaded, and what a leader heard of them."""

from collections.abc import Callable

from pointsman.contracts.events import DeviceMode
from pointsman.contracts.leases import (
    LeaseOrder,
    ResidencyGrant,
    ResidencyRefused,
    ResidencyReport,
)
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.testing.memory_blobs import MemoryBlobs
from tests.executor.fakes import FakeEngine, MemoryLeader, device, holder


def change(
    generation: int = 1,
    *,
    device: str = "cpu-0",
    unload: tuple[str, ...] = (),
    load: str = "",
    timeout_s: float = 30.0,
    members: tuple[str, ...] = (),
) -> ResidencyGrant:
    return ResidencyGrant(
        device=device,
        generation=generation,
        unload=unload,
        load=load,
        timeout_s=timeout_s,
        members=members,
    )


def change_order(*changes: ResidencyGrant, epoch: int = 1, incarnation: str = "") -> LeaseOrder:
    return LeaseOrder(pool="main", epoch=epoch, residency=changes, incarnation=incarnation)


SWAP = change(unload=("echo",), load="other")


def dedicated(
    engine: FakeEngine,
    leader: MemoryLeader,
    blobs: MemoryBlobs | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> LeaseHolder:
    cpu = device(engine, leader, mode=DeviceMode.DEDICATED)
    return holder(engine, leader, blobs, clock, cpu=cpu)


def told(leader: MemoryLeader, count: int = 1) -> Callable[[], bool]:
    return lambda: len(leader.changes) >= count


def variants(report: ResidencyReport) -> list[str]:
    assert report.residency is not None
    return [loaded.variant for loaded in report.residency]


def refusal(leader: MemoryLeader) -> str:
    outcome = leader.changes[-1].outcome
    assert isinstance(outcome, ResidencyRefused)
    return outcome.code
