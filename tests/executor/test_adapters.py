"""What every engine must do, and how the leader is spoken to over a real server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pointsman.contracts.commands import Answer, NotLeader, Rejected, Unavailable
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
    ResidencyDone,
    ResidencyReport,
    RunTimedOut,
)
from pointsman.executor.adapters.nats import NatsLeader
from pointsman.executor.adapters.noop import NoopEngine
from pointsman.executor.ports import AttachRefusedError, Call
from pointsman.runtime.connection import connect
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.executor.engine_contract import EngineContract
from tests.executor.fakes import ABSENT, IDENTITY, lease, task_id
from tests.executor.pool_leader import PoolLeader

ATTACH = AttachExecutor(
    command_id="incarnation-1/attach",
    executor="executor-1",
    incarnation="incarnation-1",
    devices=(),
)


def report(number: int = 1) -> AttemptReport:
    return AttemptReport(
        executor="executor-1",
        incarnation="incarnation-1",
        device="cpu-0",
        task=task_id(number),
        attempt=1,
        outcome=RunTimedOut(run_s=1.0),
    )


class TestNoopEngine(EngineContract):
    variant = "echo"

    @pytest.fixture
    async def engine(self) -> AsyncGenerator[NoopEngine]:
        engine = NoopEngine(("echo", "other"), slots=3)
        await engine.open()
        yield engine
        await engine.close()

    async def test_it_is_labelled_as_a_stand_in(self, engine: NoopEngine) -> None:
        output = await engine.infer(
            Call(id="1", variant="echo", payload=b"a", media_type="text/csv", timeout_s=1)
        )

        assert engine.device_class == "noop"
        assert (output.model_version, output.media_type) == ("noop", "text/csv")
        assert [loaded.variant for loaded in engine.residency] == ["echo", "other"]


@asynccontextmanager
async def speaking(url: str) -> AsyncGenerator[tuple[PoolLeader, NatsLeader]]:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    async with PoolLeader.on(url) as leader:
        connection = await connect(NatsSettings(url=url), name="executor-1", on_fatal=fail)
        spoken = NatsLeader(connection, IDENTITY)
        try:
            yield leader, spoken
        finally:
            await spoken.stop()
            await connection.close()


async def test_reports_of_one_turn_travel_together(nats_url: str) -> None:
    async with speaking(nats_url) as (leader, spoken):
        await asyncio.gather(*(spoken.report(report(number)) for number in range(50)))

        assert len(leader.recorded) == 50
        assert leader.report_messages <= 2


@pytest.mark.parametrize("status", ["unavailable", "not_leader"])
async def test_a_report_is_repeated_until_it_is_recorded(status: str, nats_url: str) -> None:
    async with speaking(nats_url) as (leader, spoken):
        leader.statuses = [status]

        await spoken.report(report())

        assert len(leader.reports) == 2
        assert set(leader.recorded) == {lease()}


@pytest.mark.parametrize("status", ["unavailable", "not_leader"])
async def test_the_end_of_a_change_is_repeated_until_it_is_recorded(
    status: str, nats_url: str
) -> None:
    ended = ResidencyReport(
        executor="executor-1",
        incarnation="incarnation-1",
        device="cpu-0",
        generation=3,
        outcome=ResidencyDone(load_s=1.0),
        residency=(),
    )
    async with speaking(nats_url) as (leader, spoken):
        leader.statuses = [status]

        await spoken.residency(ended)

        assert leader.changes == [ended, ended]


async def test_a_checkpoint_is_told_until_it_is_recorded(nats_url: str) -> None:
    standing = CheckpointReport(
        executor="executor-1",
        incarnation="incarnation-1",
        device="cpu-0",
        task=task_id(1),
        attempt=1,
        sequence=7,
        checkpoint=ABSENT,
        progress=0.35,
    )
    async with speaking(nats_url) as (leader, spoken):
        leader.statuses = ["unavailable"]

        await spoken.checkpoint(standing)

        assert leader.checkpoints == [standing, standing]


async def test_a_settled_report_is_not_repeated(nats_url: str) -> None:
    async with speaking(nats_url) as (leader, spoken):
        leader.statuses = ["settled"]

        await spoken.report(report())

        assert len(leader.reports) == 1
        assert leader.recorded == {}


@pytest.mark.parametrize("answer", [NotLeader(), Unavailable(retry_after_s=0.01)], ids=["a", "b"])
async def test_attaching_is_repeated_until_it_is_done(answer: Answer, nats_url: str) -> None:
    async with speaking(nats_url) as (leader, spoken):
        leader.refusal = answer

        await spoken.attach(ATTACH)

        assert leader.attached == [ATTACH, ATTACH]


async def test_a_refused_executor_says_why_and_who_acts(nats_url: str) -> None:
    async with speaking(nats_url) as (leader, spoken):
        leader.refusal = Rejected(code="unknown_pool", message="no pool main", next="Make one.")

        with pytest.raises(AttachRefusedError, match=r"no pool main.*Make one") as refused:
            await spoken.attach(ATTACH)

    assert refused.value.code == "unknown_pool"


async def test_a_refused_health_report_is_not_repeated(nats_url: str) -> None:
    async with speaking(nats_url) as (leader, spoken):
        leader.refusal = Rejected(code="unknown_device", message="never heard of it")

        await spoken.health(
            DeviceHealth(
                command_id="1",
                executor="executor-1",
                incarnation="incarnation-1",
                device="cpu-0",
                healthy=False,
                reason="gone",
            )
        )

        assert len(leader.healths) == 1


async def test_a_report_outlives_the_server(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server, speaking(server.url) as (leader, spoken):
        leader.silent = True
        reporting = asyncio.create_task(spoken.report(report()))
        await wait_until(lambda: len(leader.reports) == 1)
        server.kill()
        await server.wait()
        leader.silent = False

        await server.start()
        await reporting

        assert set(leader.recorded) == {lease()}


async def test_renewals_are_not_kept_for_a_server_that_is_away(tmp_path: Path) -> None:
    renewal = Renewal(pool="main", executor="executor-1", incarnation="i", leases=(lease(),))
    async with nats_server(tmp_path) as server, speaking(server.url) as (leader, spoken):
        await spoken.renew(renewal)
        await wait_until(lambda: len(leader.renewals) == 1)
        server.kill()
        await server.wait()
        await wait_until(lambda: not spoken.connected)
        await spoken.renew(renewal)

        await server.start()
        await wait_until(lambda: spoken.connected)
        await spoken.report(report())

        assert len(leader.renewals) == 1
