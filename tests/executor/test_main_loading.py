"""The executor as a process whose leader, of plain nats-py, decides what the devices load."""

from collections.abc import Callable
from pathlib import Path

import grpc.aio
import pytest

from pointsman.contracts.events import DeviceMode
from pointsman.contracts.leases import (
    ResidencyDone,
    ResidencyRefused,
    RunCompleted,
    RunFailed,
)
from pointsman.executor.adapters.triton_questions import TritonQuestions
from pointsman.executor.holding.residency import DEVICE_LOST, lease_of
from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import nats_server, triton
from pointsman.testing.timed_repository import TimedModel, write_timed_models
from pointsman.testing.waiting import wait_until
from tests.executor.changes import change, change_order
from tests.executor.conftest import require_triton
from tests.executor.fakes import grant, lease, order
from tests.executor.place import Place
from tests.executor.pool_leader import PoolLeader

ONE = change(1, device="noop-0", load="one")
TWO = change(2, device="noop-0", unload=("one",), load="two")
NOOP = {"mode": "dedicated", "memory_mib": "100", "noop_variants": "one,two"}


def done(leader: PoolLeader, count: int) -> Callable[[], bool]:
    return lambda: len(leader.changes) >= count


def resident(leader: PoolLeader) -> list[str]:
    residency = leader.changes[-1].residency
    assert residency is not None
    return [each.variant for each in residency]


async def test_a_change_is_held_renewed_done_and_reported_and_its_model_serves(
    place: Place,
) -> None:
    leader = place.leader
    async with place.executor("noop-0=noop:", **NOOP, noop_load_s="two:0.02"):
        await place.attached()
        payload = await place.stored()
        leader.silent = True

        held = await leader.order(change_order(ONE))
        await wait_until(done(leader, 1))
        await wait_until(lambda: bool(leader.renewals) and bool(leader.renewals[-1].leases))
        leader.silent = False
        await leader.order(change_order(ONE, TWO))
        await wait_until(lambda: leader.changes[-1].generation == 2)
        await leader.order(
            order(
                *(
                    grant(payload, task=task, device="noop-0", variant=variant)
                    for task, variant in enumerate(("one", "two"), start=1)
                )
            )
        )
        await wait_until(lambda: len(leader.recorded) == 2)

    (offer,) = leader.attached[0].devices
    not_loaded, completed = (leader.recorded[lease(task)].outcome for task in (1, 2))
    assert (offer.mode, offer.memory_mib, offer.residency) == (DeviceMode.DEDICATED, 100.0, ())
    assert [each.variant for each in offer.loadable] == ["one", "two"]
    assert held.held == leader.renewals[-1].leases == (lease_of(ONE),)
    assert isinstance(leader.changes[-1].outcome, ResidencyDone)
    assert leader.changes[-1].outcome.load_s >= 0.02
    assert resident(leader) == ["two"]
    assert isinstance(not_loaded, RunFailed)
    assert isinstance(completed, RunCompleted)


async def test_after_the_bus_was_away_it_attaches_with_what_is_loaded_now(tmp_path: Path) -> None:
    blobs = SqliteBlobs(tmp_path / "blobs", "gateway")
    async with nats_server(tmp_path) as server, PoolLeader.on(server.url) as leader:
        place = Place(server.url, blobs, tmp_path / "blobs", leader)
        async with place.executor("noop-0=noop:", **NOOP):
            await place.attached()
            await leader.order(change_order(ONE))
            await wait_until(done(leader, 1))
            server.kill()
            await server.wait()
            await server.start()
            await place.attached(2)
    await blobs.close()

    _, again = leader.attached
    assert [each.variant for each in again.devices[0].residency] == ["one"]
    assert again.command_id == f"{again.incarnation}/attach/1"


@pytest.mark.triton
async def test_a_triton_that_dies_during_a_load_comes_back_empty_and_is_loaded_again(
    place: Place, tmp_path: Path
) -> None:
    require_triton()
    repository = tmp_path / "models"
    write_timed_models(repository, [TimedModel("slow", 60.0, 0.1), TimedModel("quick", 0.0, 0.1)])
    leader = place.leader
    async with triton(tmp_path, repository=repository) as server:
        device = f"cpu-0=grpc://{server.grpc_address}"
        async with place.executor(device, mode="shared", repository=str(repository)):
            await place.attached()
            await leader.order(change_order(change(1, load="quick")))
            await wait_until(done(leader, 1))
            await leader.order(change_order(change(2, load="slow", timeout_s=120)))
            await is_loading(server, "slow")
            server.kill()
            await server.wait()
            await wait_until(done(leader, 2))
            await server.start()
            await wait_until(lambda: [each.healthy for each in leader.healths] == [False, True])
            await leader.order(change_order(change(3, load="quick")))
            await wait_until(done(leader, 3))

    refused = leader.changes[1].outcome
    assert isinstance(refused, ResidencyRefused)
    assert refused.code == DEVICE_LOST
    assert leader.changes[1].residency is None
    assert leader.healths[1].residency == ()
    assert resident(leader) == ["quick"]


async def is_loading(server: LocalTriton, model: str) -> None:
    async with grpc.aio.insecure_channel(server.grpc_address) as channel:
        questions = TritonQuestions(channel)

        async def found() -> bool:
            return "LOADING" in (await questions.index())[model]

        await wait_until(found, timeout_s=30)
