"""A history of one device as a recorded load, and what operators do meanwhile."""

from typing import Final, TypeVar
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import Decision, ScopeKind
from pointsman.contracts.events.steering import Steered
from pointsman.contracts.streams import stream_id
from pointsman.time_machine.moments import Span
from pointsman.time_machine.whatif.recorded_load import RecordedLoad, read_load
from tests.support.log_rows import rows_of
from tests.support.scheduling import NOON, RESULT, History, accepted, attached, given, model

END: Final = NOON + 1_000
POOL: Final = stream_id("pool", "main")
DEVICE: Final = stream_id("device", "cpu-0")

SteeredT = TypeVar("SteeredT", bound=Steered)


def load_of(history: History, *, begin: float = NOON, end: float = END) -> RecordedLoad:
    return read_load(rows_of(history.entries), "main", Span(begin, end))


def one_device(*tasks: tuple[UUID, Decision]) -> History:
    return given(model(), attached(), *tasks)


def asked(at: float = NOON, **fields: object) -> events.TaskAccepted:
    return msgspec.structs.replace(accepted(at=at), **fields)


def by_ada(type_: type[SteeredT], at: float, **fields: object) -> SteeredT:
    """What an operator does; it concerns the one pool."""
    said = {"at": at, "applied_to": 0, "by": "ada", "reason": "why not", "pool": "main"}
    return msgspec.convert({**said, **fields}, type_)


def pauses(
    history: History, kind: ScopeKind, name: str, *, since: float, until: float | None = None
) -> None:
    """A pause that ends, or goes on."""
    history.append(POOL, by_ada(events.PoolPaused, since, kind=kind, name=name))
    if until is not None:
        history.append(POOL, by_ada(events.PoolResumed, until, kind=kind, name=name))


def completes(history: History, task: UUID, at: float) -> None:
    done = events.TaskCompleted(
        at=at,
        applied_to=0,
        attempt=1,
        device="cpu-0",
        variant="fast",
        result=RESULT,
        queue_s=0.0,
        run_s=1.0,
    )
    history.append(task, done)
