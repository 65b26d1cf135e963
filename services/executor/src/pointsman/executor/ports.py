"""What the executor needs from the world: engines that run calls, and the pool's leader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from pointsman.contracts.endurance import HEARTBEAT_MISSED, CheckpointReport
from pointsman.contracts.events import Residency
from pointsman.contracts.events.attempt_ends import DEADLINE_EXCEEDED
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
    ResidencyReport,
)
from pointsman.contracts.token_streams import StreamPart

GRPC: Final = "grpc://"
"""What the endpoint of a Triton begins with."""
NOOP: Final = "noop:"
"""The endpoint of the stand-in for an engine, which listens nowhere."""


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
    checkpoint: bytes | None = None
    """Where an earlier call of the variant on this payload stood."""


@dataclass(frozen=True, slots=True)
class Output:
    """What an engine answered, checked for shape, length and finite numbers."""

    data: bytes
    media_type: str | None = None
    """None: as the registry says."""
    model_version: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """On which of its engine's GPUs an instance goes; without any, the model's files decide."""

    gpus: tuple[int, ...] = ()


class EngineError(Exception):
    """A call did not give an output; `code` is stable, the fields are those of `RunFailed`."""

    def __init__(
        self, code: str, message: str, *, retryable: bool, device_lost: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
        self.device_lost = device_lost


UNKNOWN_MODEL: Final = "unknown_model"
"""Code of a load: the engine's repository has no such model; whoever fills it has to act."""
LOAD_FAILED: Final = "load_failed"
"""Code of a load: the engine refused the model's configuration, or the model broke off."""
LOAD_TIMEOUT: Final = "load_timeout"
"""Code of a load or unload that was not done in its time; the engine was told to undo it."""
MODEL_CONTROL_OFF: Final = "model_control_off"
"""Code of a load: the engine takes no orders; an operator starts it with explicit model control."""


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


class EngineSilentError(EngineDeadlineError):
    """The call gave no sign of life for longer than it had promised."""

    def __init__(self, heartbeat_s: float) -> None:
        super().__init__(f"no sign of life for {heartbeat_s:g} s")
        self.code = HEARTBEAT_MISSED


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life of a call."""

    share: float | None = None
    """0 to 1; None: it lives, and no more is said."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a call stands; another call that is given it goes on from there."""

    data: bytes


Piece = bytes | Progress | Checkpoint
"""What a model says while a call runs; the bytes, put together, are the output."""

OnPiece = Callable[[Piece], None]
"""Hears the pieces while they come."""


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
        """The variants that are loaded; known after `open`, `refresh`, `load` and `unload`."""
        ...

    @property
    def loadable(self) -> tuple[Residency, ...]:
        """The variants that `load` takes, as they would be; none where nobody may load."""
        ...

    def heartbeat_s(self, variant: str) -> float:
        """Seconds within which calls of a variant promise a sign of life; 0: they promise none."""
        ...

    async def refresh(self) -> None:
        """Learn again what is loaded, after the engine was away; raises `EngineError`."""
        ...

    async def load(self, variant: str, *, placement: Placement, timeout_s: float) -> None:
        """Return when a first call to the variant was answered; one that is loaded stays.

        Raises `EngineError` with `UNKNOWN_MODEL`, `LOAD_FAILED`, `OUT_OF_MEMORY`, `LOAD_TIMEOUT` or
        `MODEL_CONTROL_OFF`, or with what a call fails with. Other variants serve on meanwhile.
        """
        ...

    async def unload(self, variant: str, *, timeout_s: float) -> None:
        """Return when the variant and its memory are gone; one that is not loaded is no error.

        Raises `EngineError` as `load` does.
        """
        ...

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        """Run a call. Raises `EngineError`; cancelling the caller stops the call in the engine.

        A variant that streams calls `on_piece` with each piece; others never do. One that cannot go
        on from a checkpoint begins anew.
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

    async def checkpoint(self, report: CheckpointReport) -> None:
        """Return when the leader has recorded it, or says that it is of no use any more."""
        ...

    async def report(self, report: AttemptReport) -> None:
        """Return when the leader has recorded the end of the attempt, or says it is settled."""
        ...

    async def residency(self, report: ResidencyReport) -> None:
        """Return when the leader has recorded the end of the change, or says it is settled."""
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
