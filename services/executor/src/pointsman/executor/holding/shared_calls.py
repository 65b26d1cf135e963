"""One call of an engine for the attempts of a batch; each has its own input, output and end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pointsman.executor.holding.devices import Device
from pointsman.executor.ports import Call, EngineDeadlineError, EngineError, OnPiece, Output


class Runner(Protocol):
    """What runs an attempt's call: a device, or a seat in a call on one."""

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        """Raises `EngineError`; cancelling the caller stops the call."""
        ...


class SharedCallError(EngineError):
    """The call failed for all who shared it; whose input was the cause is not known."""

    def __init__(self, error: EngineError, members: int) -> None:
        super().__init__(
            error.code, f"{error} (in one call with {members - 1} other(s))", retryable=True
        )


@dataclass(eq=False, slots=True)
class _Part:
    call: Call
    output: asyncio.Future[Output]


class SharedCall:
    """Begins when every attempt that has a seat has brought its input or left.

    An attempt that is cancelled, or whose time is over, leaves the others to their call; the last
    one to leave stops it.
    """

    def __init__(self, device: Device, members: int) -> None:
        self._device = device
        self._awaited = members
        self._parts: list[_Part] = []
        self._running: asyncio.Task[None] | None = None

    def come(self, call: Call) -> _Part:
        """A member has brought its input."""
        part = _Part(call, asyncio.get_running_loop().create_future())
        self._parts.append(part)
        self.settle()
        return part

    def settle(self) -> None:
        """A member has come, or will not come."""
        self._awaited -= 1
        waiting = [part for part in self._parts if not part.output.done()]
        if not self._awaited and waiting:
            self._parts = waiting
            self._running = asyncio.get_running_loop().create_task(self._run(waiting))

    async def leave(self) -> None:
        """A member waits no more; returns when the call has stopped, if nobody else does."""
        running = self._running
        if running is not None and all(part.output.done() for part in self._parts):
            running.cancel()
            await asyncio.wait((running,))

    async def _run(self, parts: Sequence[_Part]) -> None:
        timers = self._watch_times(parts)
        try:
            outputs = await self._outputs([part.call for part in parts])
        except EngineError as error:
            # A lost device is nobody's input, and whoever is alone knows whose fault it is.
            known = error.device_lost or len(parts) == 1
            outputs = [error if known else SharedCallError(error, len(parts))] * len(parts)
        except Exception as error:  # noqa: BLE001 - every member tells it, and nobody waits for ever
            outputs = [error] * len(parts)
        finally:
            for timer in timers:
                timer.cancel()
        for part, output in zip(parts, outputs, strict=True):
            if isinstance(output, Exception):
                _fail(part, output)
            elif not part.output.done():
                part.output.set_result(output)

    async def _outputs(self, calls: Sequence[Call]) -> Sequence[Output | Exception]:
        first = calls[0]
        if len(calls) == 1:
            return [await self._device.infer(first)]
        if all(_fits(call, first) for call in calls):
            return await self._device.infer_batch(calls)
        # What cannot be one request is run as several.
        answers = await asyncio.gather(
            *(self._device.infer(call) for call in calls), return_exceptions=True
        )
        return [_not_cancelled(answer) for answer in answers]

    def _watch_times(self, parts: Sequence[_Part]) -> list[asyncio.TimerHandle]:
        """The engine is given the longest time of all; whoever has less gives up on its own."""
        longest = max(part.call.timeout_s for part in parts)
        loop = asyncio.get_running_loop()
        return [
            loop.call_later(part.call.timeout_s, self._expire, part)
            for part in parts
            if part.call.timeout_s < longest
        ]

    def _expire(self, part: _Part) -> None:
        _fail(part, EngineDeadlineError("its time was over before the call that it shared"))


class Seat:
    """The place of one attempt in a shared call; a `Runner`. `give_up` when the attempt ends."""

    def __init__(self, call: SharedCall) -> None:
        self._call = call
        self._taken = False

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:  # noqa: ARG002 - a shared call gives no pieces
        self._taken = True
        part = self._call.come(call)
        try:
            return await part.output
        except asyncio.CancelledError:
            await self._call.leave()
            raise

    def give_up(self) -> None:
        """The others need not wait for an attempt that ended before it came."""
        if not self._taken:
            self._taken = True
            self._call.settle()


def _fits(call: Call, first: Call) -> bool:
    return (call.variant, call.parameters) == (first.variant, first.parameters)


def _fail(part: _Part, error: Exception) -> None:
    if not part.output.done():
        part.output.set_exception(error)


def _not_cancelled(answer: Output | BaseException) -> Output | Exception:
    if isinstance(answer, Output | Exception):
        return answer
    raise answer
