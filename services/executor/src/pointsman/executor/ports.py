"""What the executor needs from the world: engines that run calls, and the pool's leader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from pointsman.contracts.events import Residency
from pointsman.contracts.events.tasks import DEADLINE_EXCEEDED
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
)
from pointsman.contracts.token_streams import StreamPart


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this executor is."""

    executor: str
    """Stable over restarts."""
    pool: str
    incarnation: str
    """New at every start."""


@dataclass(frozen=True, slots=True)
class Call:
    """One inference."""

    id: str
    """Shown by the engine in its own logs and traces: the task."""
    variant: str
    payload: bytes
    media_type: str
    """Of the payload."""
    timeout_s: float
    """Passed to the engine, which stops then by itself."""
    parameters: Mapping[str, str] | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What an engine answered, checked for shape, length and finite numbers."""

    data: bytes
    media_type: str | None = None
    """None: as the registry says."""
    model_version: str = ""


class EngineError(Exception):
    """A call did not give an output; `code` is stable, the fields are those of `RunFailed`."""

    def __init__(
        self, code: str, message: str, *, retryable: bool, device_lost: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
        self.device_lost = device_lost


class EngineDeadlineError(EngineError):
    """The engine had not answered when the time of the call was over."""

    def __init__(self, message: str) -> None:
        super().__init__(DEADLINE_EXCEEDED, message, retryable=True)


ENGINE_BUSY: Final = "engine_busy"
"""Code of an engine that had no room for a call; it says nothing about its health."""


class EngineBusyError(EngineError):
    """A canary was not answered in time, and calls of ours that are in flight explain it."""

    def __init__(self, message: str) -> None:
        super().__init__(ENGINE_BUSY, message, retryable=True)


OnPiece = Callable[[bytes], None]
"""Hears the pieces of an answer while they come; together they are the output."""


class Engine(Protocol):
    """One inference server, or the stand-in for one."""

    async def open(self) -> None:
        """Wait until the engine is ready and learn what it serves; waits for ever."""
        ...

    @property
    def device_class(self) -> str:
        """`cpu`, `gpu` or `noop`; known after `open`."""
        ...

    @property
    def residency(self) -> tuple[Residency, ...]:
        """The variants that are loaded; known after `open`."""
        ...

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        """Run a call. Raises `EngineError`; cancelling the caller stops the call in the engine.

        A variant that streams calls `on_piece` with each piece; others never do.
        """
        ...

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence["Output | EngineError"]:
        """Run calls of one variant with the same parameters as one; at most its `max_batch`.

        An answer that is wrong for one of them is its own error. Raises `EngineError` when there
        is no answer at all; cancelling the caller stops the call in the engine.
        """
        ...

    async def canary(self) -> None:
        """Run a real inference whose answer is known; raises `EngineError` if it does not come.

        `EngineBusyError` says nothing about health.
        """
        ...

    async def quiescent(self) -> bool:
        """Whether the engine was seen with nothing in flight that was sent by an earlier holder."""
        ...

    async def close(self) -> None:
        """Give up all connections."""
        ...


class Leader(Protocol):
    """The leader of the pool; every request is repeated until it is answered."""

    async def attach(self, attach: AttachExecutor) -> None:
        """Return when the leader has recorded it; raises `AttachRefusedError`."""
        ...

    async def report(self, report: AttemptReport) -> None:
        """Return when the leader has recorded the end of the attempt, or says it is settled."""
        ...

    async def health(self, health: DeviceHealth) -> None:
        """Return when the leader has recorded it, or refuses it (it does not know the device)."""
        ...

    async def renew(self, renewal: Renewal) -> None:
        """Send once; lossy by design."""
        ...


class Streams(Protocol):
    """Where the parts of running attempts are published; lossy by design."""

    async def publish(self, part: StreamPart) -> None:
        """Send once, without waiting for anybody."""
        ...

    def heard(self, task: UUID, attempt: int) -> bool:
        """False once it is known that nobody listened to the attempt's latest part."""
        ...

    def forget(self, task: UUID, attempt: int) -> None:
        """The attempt has ended."""
        ...


class AttachRefusedError(Exception):
    """The leader will never take this executor as it is configured; an operator must act."""

    def __init__(self, executor: str, pool: str, *, code: str, reason: str, next_step: str) -> None:
        super().__init__(
            f"pool {pool!r} refuses executor {executor!r}: {reason} [{code}] "
            f"{next_step or 'Correct the settings of this executor and start it again.'}"
        )
        self.code = code
        self.executor = executor
        self.pool = pool
