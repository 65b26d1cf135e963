"""Canaries that somebody else asks for."""

import asyncio

import pytest

from pointsman.contracts.canaries import (
    MAX_CANARY_BYTES,
    CanaryAnswered,
    CanaryFailed,
    RunCanary,
)
from pointsman.contracts.events import DeviceMode
from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND
from pointsman.executor.holding.canaries import MAX_TIMEOUT_S, Canaries
from pointsman.executor.ports import (
    Call,
    EngineDeadlineError,
    EngineError,
    OnPiece,
    Output,
)
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import LOST, FakeEngine, MemoryLeader, device


class LateEngine(FakeEngine):
    """Has no time for canaries."""

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        if call.id == "pointsman-canary":
            raise EngineDeadlineError("the time was over")
        return await super().infer(call, on_piece)


class TalkativeEngine(FakeEngine):
    """Answers with more than a canary may bring."""

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        return Output(data=call.payload * 2 * MAX_CANARY_BYTES)


def canaries(engine: FakeEngine) -> Canaries:
    return Canaries([device(engine, MemoryLeader())])


def a_canary(payload: bytes = b"ping", *, name: str = "cpu-0", timeout_s: float = 1.0) -> RunCanary:
    return RunCanary(device=name, variant="echo", payload=payload, timeout_s=timeout_s)


def a_call() -> Call:
    return Call(id="task", variant="echo", payload=b"", media_type="text/plain", timeout_s=30.0)


async def test_a_canary_brings_the_engines_bytes_and_its_time() -> None:
    engine = FakeEngine()

    answer = await canaries(engine).run(a_canary(b"\x00\xff"))

    assert isinstance(answer, CanaryAnswered)
    assert answer.output == b"\x00\xff"
    assert answer.run_s >= 0
    assert [call.variant for call in engine.calls] == ["echo"]


@pytest.mark.parametrize(("asked_s", "given_s"), [(0.5, 0.5), (3600.0, MAX_TIMEOUT_S)])
async def test_nobody_holds_an_engine_for_long(asked_s: float, given_s: float) -> None:
    engine = FakeEngine()

    await canaries(engine).run(a_canary(timeout_s=asked_s))

    assert [call.timeout_s for call in engine.calls] == [given_s]


async def test_a_device_of_another_executor_is_unknown() -> None:
    answer = await canaries(FakeEngine()).run(a_canary(name="cpu-1"))

    assert isinstance(answer, CanaryFailed)
    assert (answer.code, answer.busy) == ("unknown_device", False)
    assert "cpu-1" in answer.message


async def test_a_canary_that_is_too_large_never_reaches_the_engine() -> None:
    engine = FakeEngine()

    answer = await canaries(engine).run(a_canary(b"x" * (MAX_CANARY_BYTES + 1)))

    assert isinstance(answer, CanaryFailed)
    assert answer.code == "canary_too_large"
    assert engine.calls == []


async def test_an_answer_that_is_too_long_is_cut() -> None:
    answer = await canaries(TalkativeEngine()).run(a_canary(b"x"))

    assert isinstance(answer, CanaryAnswered)
    assert answer.output == b"x" * MAX_CANARY_BYTES


@pytest.mark.parametrize(
    ("failure", "busy"),
    [
        (LOST, False),
        (EngineError("bad_output", "no tensor OUTPUT", retryable=True), False),
        (EngineError("engine_busy", "the queue is full", retryable=True), True),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
async def test_a_failure_is_told_with_its_code(failure: EngineError, *, busy: bool) -> None:
    engine = FakeEngine()
    engine.failure = failure

    answer = await canaries(engine).run(a_canary())

    assert answer == CanaryFailed(code=failure.code, message=str(failure), busy=busy)


async def test_a_late_canary_on_an_idle_device_speaks_against_it() -> None:
    judged = canaries(LateEngine())

    answers = await asyncio.gather(judged.run(a_canary()), judged.run(a_canary()))

    late = CanaryFailed(code="deadline_exceeded", message="the time was over")
    assert answers == [late, late]


async def test_a_late_canary_behind_calls_in_flight_says_nothing() -> None:
    cpu = device(LateEngine(), MemoryLeader())

    with cpu.occupied("echo"):
        behind = await Canaries([cpu]).run(a_canary())
    alone = await Canaries([cpu]).run(a_canary())

    assert isinstance(behind, CanaryFailed)
    assert isinstance(alone, CanaryFailed)
    assert (behind.code, behind.busy) == ("engine_busy", True)
    assert (alone.code, alone.busy) == ("deadline_exceeded", False)


async def test_a_call_that_failed_is_in_flight_no_more() -> None:
    engine = LateEngine()
    engine.failure = LOST
    cpu = device(engine, MemoryLeader())

    with pytest.raises(EngineError), cpu.occupied("echo"):
        await cpu.infer(a_call())
    answer = await Canaries([cpu]).run(a_canary())

    assert isinstance(answer, CanaryFailed)
    assert not answer.busy


async def test_a_variant_that_the_leader_took_away_says_nothing_about_its_health() -> None:
    engine = FakeEngine()
    cpu = device(engine, MemoryLeader(), mode=DeviceMode.DEDICATED)
    engine.residency = ()

    answer = await Canaries([cpu]).run(a_canary())

    assert isinstance(answer, CanaryFailed)
    assert (answer.code, answer.busy) == (MODEL_NOT_FOUND, True)
    assert engine.calls == []


async def test_a_variant_that_a_restart_took_away_says_nothing_about_its_health() -> None:
    engine = FakeEngine()
    engine.failure = EngineError(MODEL_NOT_FOUND, "no such model", retryable=False)
    cpu = device(engine, MemoryLeader(), mode=DeviceMode.DEDICATED)

    answer = await Canaries([cpu]).run(a_canary())

    assert isinstance(answer, CanaryFailed)
    assert (answer.code, answer.busy) == (MODEL_NOT_FOUND, True)


async def test_a_device_that_is_out_of_service_is_tried_all_the_same() -> None:
    cpu = device(FakeEngine(), MemoryLeader())
    losing = asyncio.create_task(cpu.lose("socket closed"))
    await wait_until(lambda: not cpu.serving)

    answer = await Canaries([cpu]).run(a_canary())

    assert isinstance(answer, CanaryAnswered)
    losing.cancel()
    await asyncio.gather(losing, return_exceptions=True)
