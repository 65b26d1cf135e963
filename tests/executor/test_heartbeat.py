"""Calls that promise signs of life are given up when none comes."""

import asyncio
from collections.abc import Callable

import pytest

from pointsman.contracts.leases import RunTimedOut
from pointsman.executor.holding.heartbeat import infer_alive
from pointsman.executor.ports import (
    Call,
    EngineDeadlineError,
    EngineError,
    EngineSilentError,
    OnPiece,
    Output,
    Piece,
    Progress,
)
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    FakeEngine,
    MemoryLeader,
    grant,
    holder,
    order,
    reported,
    stored,
)

SOON_S = 0.05
LATE_S = 60.0


class BeatingEngine(FakeEngine):
    """Gives a sign of life whenever `beat` is called."""

    def __init__(self) -> None:
        super().__init__(hold=True)
        self.heard: OnPiece | None = None

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        self.heard = on_piece
        return await super().infer(call)

    def beat(self, piece: Piece) -> None:
        assert self.heard is not None
        self.heard(piece)


def a_call(**parameters: str) -> Call:
    return Call("task-1", "echo", b"hello", "text/plain", 30.0, parameters)


def in_flight(engine: FakeEngine) -> Callable[[], bool]:
    return lambda: bool(engine.calls)


async def test_a_call_without_a_promise_may_be_silent() -> None:
    engine = FakeEngine()

    output = await infer_alive(engine, a_call())

    assert output.data == b"hello"


@pytest.mark.parametrize(
    ("promised_s", "wish"),
    [
        pytest.param(SOON_S, {}, id="as its model promises"),
        pytest.param(LATE_S, {"heartbeat_s": str(SOON_S)}, id="as its caller wishes"),
    ],
)
async def test_a_silent_call_is_given_up_and_stopped(
    promised_s: float, wish: dict[str, str]
) -> None:
    engine = FakeEngine(hold=True)
    engine.promised_heartbeat_s = promised_s

    with pytest.raises(EngineSilentError) as silent:
        await infer_alive(engine, a_call(**wish))

    assert (silent.value.code, silent.value.retryable) == ("heartbeat_missed", True)
    assert engine.cancelled == ["task-1"]


@pytest.mark.parametrize("piece", [b"text", Progress()])
async def test_every_sign_of_life_gives_it_more_time(piece: Piece) -> None:
    engine = BeatingEngine()
    engine.promised_heartbeat_s = 0.5
    running = asyncio.ensure_future(infer_alive(engine, a_call()))
    await wait_until(in_flight(engine))
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.75

    def beating() -> bool:
        engine.beat(piece)
        return loop.time() > until

    await wait_until(beating)
    engine.release()

    assert (await running).data == b"hello"


@pytest.mark.parametrize("wish", ["0", "-1", "inf", "nan", "soon"])
async def test_a_wish_that_is_no_time_is_refused(wish: str) -> None:
    with pytest.raises(EngineError) as refused:
        await infer_alive(FakeEngine(), a_call(heartbeat_s=wish))

    assert (refused.value.code, refused.value.retryable) == ("invalid_input", False)


async def test_the_report_says_that_no_sign_of_life_came() -> None:
    engine, leader, blobs = FakeEngine(hold=True), MemoryLeader(), MemoryBlobs()
    engine.promised_heartbeat_s = SOON_S
    holding = holder(engine, leader, blobs)

    holding.take(order(grant(await stored(blobs))))
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert outcome == RunTimedOut(run_s=0.0, code="heartbeat_missed")


async def test_a_run_that_was_given_up_by_its_deadline_has_no_such_code() -> None:
    engine, leader, blobs = FakeEngine(), MemoryLeader(), MemoryBlobs()
    engine.failure = EngineDeadlineError("late")
    holding = holder(engine, leader, blobs)

    holding.take(order(grant(await stored(blobs))))
    await wait_until(reported(leader))

    assert leader.outcomes() == [RunTimedOut(run_s=0.0)]
