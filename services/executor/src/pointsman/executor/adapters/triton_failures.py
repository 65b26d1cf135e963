"""What a failed call to Triton means; a table with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from grpc import StatusCode

from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND, OUT_OF_MEMORY
from pointsman.executor.ports import (
    ENGINE_BUSY,
    LOAD_FAILED,
    LOAD_TIMEOUT,
    MODEL_CONTROL_OFF,
    EngineDeadlineError,
    EngineError,
)

MAX_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a failure is reported."""

    code: str
    retryable: bool
    device_lost: bool = False


_OUT_OF_MEMORY: Final = Meaning(OUT_OF_MEMORY, retryable=True)
_BUSY: Final = Meaning(ENGINE_BUSY, retryable=True)
# The variant was unloaded since the device was offered; it may be loaded elsewhere.
_NOT_FOUND: Final = Meaning(MODEL_NOT_FOUND, retryable=True)
_TOO_LARGE: Final = Meaning("message_too_large", retryable=False)
_INVALID_INPUT: Final = Meaning("invalid_input", retryable=False)
_CONTROL_OFF: Final = Meaning(MODEL_CONTROL_OFF, retryable=False)

# Looked for in the text first, because back ends pass these on under whatever status they like.
# Retryable, since another device or a later moment may have the memory.
OUT_OF_MEMORY_TEXTS: Final = (
    "Failed to allocate memory for requested buffer of size",  # ONNX Runtime
    "Resource exhausted: OOM when allocating tensor",  # TensorFlow
    "CUDA out of memory. Tried to allocate",  # PyTorch
    "out of memory",  # cudaErrorMemoryAllocation
)

# A status whose usual meaning these texts change.
TEXTS: Final[Mapping[tuple[StatusCode, str], Meaning]] = MappingProxyType(
    {
        # Triton's own queue is full or its timeout is over: the server is well.
        (StatusCode.UNAVAILABLE, "maximum queue size"): _BUSY,
        (StatusCode.UNAVAILABLE, "timeout expired"): _BUSY,
        # A server that was not started with explicit model control is well, too.
        (StatusCode.UNAVAILABLE, "explicit model load / unload is not allowed"): _CONTROL_OFF,
        # gRPC's limit on one message, on either side: the same bytes never fit.
        (StatusCode.RESOURCE_EXHAUSTED, "larger than max"): _TOO_LARGE,
        # In a stream the status is not told: these are the texts of Triton's own refusals.
        (StatusCode.UNKNOWN, "maximum queue size"): _BUSY,
        (StatusCode.UNKNOWN, "timeout expired"): _BUSY,
        (StatusCode.UNKNOWN, "unknown model"): _NOT_FOUND,
        (StatusCode.UNKNOWN, "is not ready"): _NOT_FOUND,
        # The word of a streaming model that refuses its input, by our convention.
        (StatusCode.UNKNOWN, "invalid input: "): _INVALID_INPUT,
    }
)

STATUSES: Final[Mapping[StatusCode, Meaning]] = MappingProxyType(
    {
        # Nobody listens, the connection broke, or the server is stopping: whatever it worked on is
        # gone, and the next call would go the same way.
        StatusCode.UNAVAILABLE: Meaning("engine_unavailable", retryable=True, device_lost=True),
        StatusCode.NOT_FOUND: _NOT_FOUND,
        StatusCode.RESOURCE_EXHAUSTED: _OUT_OF_MEMORY,
        # The model or Triton refused the payload; it would do so again.
        StatusCode.INVALID_ARGUMENT: _INVALID_INPUT,
        StatusCode.OUT_OF_RANGE: _INVALID_INPUT,
        # The model raised: deterministic until proven otherwise.
        StatusCode.INTERNAL: Meaning("model_error", retryable=False),
        StatusCode.UNKNOWN: Meaning("model_error", retryable=False),
        # Not by us: the server or the model gave up on a call that we still want.
        StatusCode.CANCELLED: Meaning("engine_cancelled", retryable=True),
        StatusCode.ABORTED: Meaning("engine_cancelled", retryable=True),
        # The server speaks another protocol, or wants credentials: an operator has to act.
        StatusCode.UNIMPLEMENTED: Meaning("engine_refused", retryable=False),
        StatusCode.UNAUTHENTICATED: Meaning("engine_refused", retryable=False),
        StatusCode.PERMISSION_DENIED: Meaning("engine_refused", retryable=False),
    }
)

# What a load or unload can fail with beside `LOAD_FAILED`.
_KEPT_OF_LOADS: Final = frozenset({OUT_OF_MEMORY, MODEL_CONTROL_OFF, "engine_refused"})
_LOAD_BROKE_OFF: Final = "load failed for model"

_OTHER: Final = Meaning("model_error", retryable=False)


def failure_of(status: StatusCode, details: str | None) -> EngineError:
    """The error that a status and its text stand for."""
    message = scrubbed(details or status.name)
    if status is StatusCode.DEADLINE_EXCEEDED:
        return EngineDeadlineError(message)
    meaning = _meaning(status, details or "")
    return EngineError(
        meaning.code, message, retryable=meaning.retryable, device_lost=meaning.device_lost
    )


def load_failure_of(error: EngineError) -> EngineError:
    """What the failure of a call means when that call was to load or unload a model."""
    if isinstance(error, EngineDeadlineError):
        return EngineError(LOAD_TIMEOUT, f"it was not done in its time: {error}", retryable=True)
    # A model's own failure comes under whatever status it likes.
    lost = error.device_lost and _LOAD_BROKE_OFF not in str(error)
    if lost or error.code in _KEPT_OF_LOADS:
        return error
    return EngineError(LOAD_FAILED, str(error), retryable=False)


def _meaning(status: StatusCode, details: str) -> Meaning:
    for (of, text), meaning in TEXTS.items():
        if of is status and text in details:
            return meaning
    if any(text in details for text in OUT_OF_MEMORY_TEXTS):
        return _OUT_OF_MEMORY
    return STATUSES.get(status, _OTHER)


def scrubbed(text: str) -> str:
    """One printable line of at most 500 characters; a model's text may hold anything."""
    line = " ".join(text.split())
    printable = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in line[: 2 * MAX_MESSAGE]
    )
    return printable[:MAX_MESSAGE]
