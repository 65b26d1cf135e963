"""The executor as a process of its own, with a leader of plain nats-py and real engines."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from pointsman.contracts.commands import Rejected
from pointsman.contracts.leases import Grant, RunCancelled, RunCompleted, RunFailed
from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import grant, lease, order
from tests.executor.place import Place
from tests.executor.pool_leader import PoolLeader


async def test_it_attaches_runs_reports_renews_and_ends_when_told(place: Place) -> None:
    leader = place.leader
    async with place.executor("noop-0=noop:") as process:
        await place.attached()
        payload = await place.stored()

        receipt = await leader.order(
            order(*(grant(payload, task=number, device="noop-0") for number in range(100)))
        )
        await wait_until(lambda: len(leader.recorded) == 100)
        await wait_until(lambda: bool(leader.renewals))
        process.send_signal(signal.SIGTERM)
        status = await process.wait()

    (attach,) = leader.attached
    (offer,) = attach.devices
    outcome = leader.recorded[lease(7)].outcome
    assert (offer.device, offer.device_class, offer.quiescent) == ("noop-0", "noop", True)
    assert receipt.incarnation == attach.incarnation == leader.renewals[0].incarnation
    assert len(receipt.held) == 100
    assert isinstance(outcome, RunCompleted)
    assert await place.blobs.get("acme", outcome.result) == b"hello"
    assert [(health.healthy, health.device) for health in leader.healths] == [(False, "noop-0")]
    assert status == 0


async def test_every_start_is_a_new_incarnation_of_the_same_name(place: Place) -> None:
    for count in (1, 2):
        async with place.executor("noop-0=noop:"):
            await place.attached(count)

    first, second = place.leader.attached
    assert first.executor == second.executor == "executor-1"
    assert first.incarnation != second.incarnation


async def test_a_silent_leader_is_told_again(place: Place) -> None:
    leader = place.leader
    async with place.executor("noop-0=noop:"):
        await place.attached()
        leader.silent = True
        await leader.order(order(grant(await place.stored(), device="noop-0")))
        await wait_until(lambda: len(leader.reports) == 2)

        leader.silent = False
        await wait_until(lambda: len(leader.recorded) == 1)

    assert all(report == leader.reports[0] for report in leader.reports)


async def test_after_the_bus_was_away_it_attaches_again_and_reports(tmp_path: Path) -> None:
    blobs = SqliteBlobs(tmp_path / "blobs", "gateway")
    async with nats_server(tmp_path) as server, PoolLeader.on(server.url) as leader:
        place = Place(server.url, blobs, tmp_path / "blobs", leader)
        async with place.executor("noop-0=noop:"):
            await place.attached()
            server.kill()
            await server.wait()
            await server.start()
            await place.attached(2)

            await leader.order(order(grant(await place.stored(), device="noop-0")))
            await wait_until(lambda: len(leader.recorded) == 1)

        # One whose answer went down with the server comes again.
        first, again = leader.attached[0], leader.attached[-1]
        assert first == again
    await blobs.close()


async def test_a_refused_executor_ends_with_status_1(place: Place) -> None:
    place.leader.refusal = Rejected(code="unknown_pool", message="there is no pool main")

    async with place.executor("noop-0=noop:") as process:
        status = await process.wait()

    assert status == 1


async def test_it_ends_when_its_parent_is_gone(place: Place) -> None:
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.executor", pass_fds=[ours],
        env=os.environ | {
            "POINTSMAN_NATS_URL": place.url,
            "POINTSMAN_PARENT_FD": str(ours),
            "POINTSMAN_EXECUTOR_DEVICES": "noop-0=noop:",
            "POINTSMAN_EXECUTOR_BLOBS": str(place.directory),
        },
    )  # fmt: skip
    os.close(ours)
    await place.attached()

    os.close(theirs)

    assert await process.wait() == 0


@pytest.mark.triton
async def test_a_running_call_is_cancelled_in_the_model(
    place: Place, identity_triton: LocalTriton
) -> None:
    leader, device = place.leader, f"cpu-0=grpc://{identity_triton.grpc_address}"
    async with place.executor(device):
        await place.attached()
        payload = await place.stored()
        slow = {"delay_ms": "60000"}
        await leader.order(
            order(*(grant(payload, task=n, variant="identity", parameters=slow) for n in (1, 2)))
        )
        await wait_until(lambda: len(leader.renewals) >= 1 and len(leader.renewals[-1].leases) == 2)

        await leader.order(order(cancels=(lease(1), lease(2))))
        await wait_until(lambda: len(leader.recorded) == 2)
        # Both instances are free again, so the model was told.
        await leader.order(order(grant(payload, task=3, variant="identity")))
        await wait_until(lambda: len(leader.recorded) == 3)

    assert leader.recorded[lease(1)].outcome == RunCancelled()
    assert isinstance(leader.recorded[lease(3)].outcome, RunCompleted)


@pytest.mark.triton
async def test_a_killed_triton_loses_no_attempt_and_is_used_again(
    place: Place, identity_triton: LocalTriton
) -> None:
    leader, device = place.leader, f"cpu-0=grpc://{identity_triton.grpc_address}"
    async with place.executor(device):
        await place.attached()
        payload = await place.stored()
        await leader.order(order(*(echo(payload, number) for number in range(20))))
        await wait_until(lambda: len(leader.recorded) == 20)

        await leader.order(
            order(*(echo(payload, number, delay_ms="60000") for number in range(20, 60)))
        )
        await wait_until(lambda: bool(leader.renewals) and len(leader.renewals[-1].leases) == 40)
        identity_triton.kill()
        await identity_triton.wait()
        await wait_until(lambda: len(leader.recorded) == 60)
        while_down = await leader.order(order(echo(payload, 60)))
        await identity_triton.start()
        await wait_until(lambda: [health.healthy for health in leader.healths] == [False, True])
        await leader.order(order(echo(payload, 61)))
        await wait_until(lambda: lease(61) in leader.recorded)

    lost = [leader.recorded[lease(number)].outcome for number in range(20, 60)]
    assert all(isinstance(outcome, RunFailed) and outcome.device_lost for outcome in lost)
    assert while_down.held == ()
    assert leader.healths[1].quiescent
    assert isinstance(leader.recorded[lease(61)].outcome, RunCompleted)


@pytest.mark.triton
async def test_a_call_that_runs_at_the_end_is_finished_and_reported(
    place: Place, identity_triton: LocalTriton
) -> None:
    leader, device = place.leader, f"cpu-0=grpc://{identity_triton.grpc_address}"
    async with place.executor(device) as process:
        await place.attached()
        payload = await place.stored()
        await leader.order(order(echo(payload, 1, delay_ms="1000")))

        process.send_signal(signal.SIGTERM)
        await wait_until(lambda: bool(leader.healths))
        refused = await leader.order(order(echo(payload, 2)))
        status = await process.wait()

    assert refused.held == ()
    assert isinstance(leader.recorded[lease(1)].outcome, RunCompleted)
    assert status == 0


@pytest.mark.triton
async def test_calls_of_a_killed_executor_do_not_outlive_it(
    place: Place, identity_triton: LocalTriton
) -> None:
    leader, device = place.leader, f"cpu-0=grpc://{identity_triton.grpc_address}"
    payload = await place.stored()
    async with place.executor(device) as process:
        await place.attached()
        await leader.order(order(*(echo(payload, n, delay_ms="60000") for n in range(4))))
        await wait_until(lambda: bool(leader.renewals) and len(leader.renewals[-1].leases) == 4)
        process.kill()
        await process.wait()

    async with place.executor(device):
        await place.attached(2)

    (offer,) = leader.attached[1].devices
    assert offer.quiescent


def echo(payload: BlobRef, number: int, **parameters: str) -> Grant:
    return grant(payload, task=number, variant="identity", parameters=parameters)
