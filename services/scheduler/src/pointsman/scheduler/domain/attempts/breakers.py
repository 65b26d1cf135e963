"""The breakers of a pool's devices, one for each variant: what was seen of them, what is decided.

Ends of attempts are counted while they are folded; opening and closing are decided in the round
after them, and stand in the log as events of their own.
"""

from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    AttemptDropped,
    AttemptEnd,
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    BreakerClosed,
    BreakerOpened,
    Decision,
    DeviceMode,
    TaskCompleted,
    TaskGranted,
    TaskHedged,
)
from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND, RUN_TIMEOUT
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import WITHOUT_RESULT
from pointsman.policy.breaker import OPEN_S, SUCCESS, Breaker, Turn
from pointsman.scheduler.domain.fleet import Devices
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask
from pointsman.scheduler.domain.why.words import clock

BreakerId = tuple[str, str]
"""Device and variant."""


class Breakers:
    """Those of every device and variant that ran anything."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self.of: dict[BreakerId, Breaker] = {}
        self.troubled: dict[BreakerId, Breaker] = {}
        """Those that are not closed, or are about to open."""
        self.reasons: dict[BreakerId, str] = {}
        """Why those that are not closed were opened."""
        self.types = frozenset({BreakerOpened, BreakerClosed})
        self._follows: Final[dict[type[Decision], Callable[..., None]]] = {
            **dict.fromkeys((TaskGranted, TaskHedged), self._granted),
            TaskCompleted: self._completed,
            AttemptFailed: self._failed,
            AttemptTimedOut: self._timed_out,
            AttemptDropped: self._dropped,
            **dict.fromkeys((AttemptLost, *WITHOUT_RESULT), self._lost),
        }

    def follow(self, task: OpenTask, event: Decision) -> None:
        """An event of a task is about to change it."""
        follow = self._follows.get(type(event))
        if follow is not None:
            follow(task, event)

    def evolve(self, _: int, event: BreakerOpened | BreakerClosed) -> None:
        """It was decided about a breaker."""
        id_ = event.device, event.variant
        breaker = self._breaker(id_)
        if isinstance(event, BreakerOpened):
            breaker.opened(event.until)
            self.troubled[id_], self.reasons[id_] = breaker, event.reason
        else:
            breaker.closed()
            self.troubled.pop(id_, None)
            self.reasons.pop(id_, None)

    def refused(self, device: str, variant: str, *, at: float, taken: int = 0) -> str | None:
        """Why a variant may not run on a device, after `taken` calls of it in this round."""
        if not self.troubled:
            return None
        breaker = self.troubled.get((device, variant))
        return None if breaker is None else breaker.refused(at, taken=taken)

    def decide(
        self, *, at: float, applied_to: int, version_of: Callable[[UUID], int]
    ) -> Iterator[Decided]:
        """What has to open or close after the ends that were counted."""
        for (device, variant), breaker in self.troubled.items():
            if breaker.turn is not None:
                stream = stream_id("breaker", f"{device}/{variant}")
                event = _decision(device, variant, breaker, at, applied_to)
                yield Decided(stream, version_of(stream), (event,))

    def next_due(self, now: float) -> Iterator[float]:
        """When open ones become half-open."""
        for breaker in self.troubled.values():
            if breaker.until is not None and breaker.until > now:
                yield breaker.until

    def words(self, device: str, variant: str) -> str | None:
        """What there is to say about the breaker of a variant on a device; none if it is closed."""
        breaker = self.troubled.get((device, variant))
        if breaker is None or breaker.until is None:
            return None
        state = f"open until {clock(breaker.until)}"
        if breaker.probe is not None:
            state = "half-open, a probe runs"
        return f"the breaker of {variant} on {device} is {state}: {self.reasons[device, variant]}"

    def _granted(self, task: OpenTask, event: TaskGranted | TaskHedged) -> None:
        if not self.troubled:
            return
        breaker = self.troubled.get((event.device, event.variant))
        if breaker is not None:
            breaker.granted((task.id, event.attempt))

    def _completed(self, task: OpenTask, event: TaskCompleted) -> None:
        lease = task.lease_of(event.attempt)
        if lease is not None and lease.device:
            self._count(task, lease, SUCCESS)
        if self.troubled:
            self._lost(task, event, besides=event.attempt)

    def _failed(self, task: OpenTask, event: AttemptFailed) -> None:
        self._ended(task, event.attempt, event.code)

    def _timed_out(self, task: OpenTask, event: AttemptTimedOut) -> None:
        self._ended(task, event.attempt, event.code or RUN_TIMEOUT)

    def _dropped(self, task: OpenTask, event: AttemptDropped) -> None:
        if event.end is AttemptEnd.LOST:
            self._lost(task, event, besides=event.goes_on)
        else:
            self._ended(task, event.attempt, event.code or RUN_TIMEOUT)

    def _ended(self, task: OpenTask, attempt: int, code: str) -> None:
        lease = task.lease_of(attempt)
        if lease is None or not lease.device:
            return
        if code == MODEL_NOT_FOUND and not self._is_fixed(lease.device):
            # Where the leader loads, a variant that is not there is to be loaded, not left alone.
            return
        self._count(task, lease, code, task.payload.digest)

    def _count(self, task: OpenTask, lease: LiveLease, code: str, payload: str = "") -> None:
        id_ = lease.device, lease.variant
        breaker = self._breaker(id_)
        breaker.ended((task.id, lease.attempt), code, payload)
        if breaker.turn is not None:
            self.troubled[id_] = breaker

    def _is_fixed(self, name: str) -> bool:
        device = self._devices.get(name)
        return device is None or device.offer.mode is DeviceMode.FIXED

    def _lost(self, task: OpenTask, _: Decision, besides: int = 0) -> None:
        for lease in task.leases:
            breaker = self.troubled.get((lease.device, lease.variant))
            if breaker is not None and lease.attempt != besides:
                breaker.lost((task.id, lease.attempt))

    def _breaker(self, id_: BreakerId) -> Breaker:
        breaker = self.of.get(id_)
        if breaker is None:
            breaker = self.of[id_] = Breaker()
        return breaker


def _decision(
    device: str, variant: str, breaker: Breaker, at: float, applied_to: int
) -> BreakerOpened | BreakerClosed:
    if breaker.turn is Turn.CLOSE:
        return BreakerClosed(
            at=at,
            applied_to=applied_to,
            device=device,
            variant=variant,
            reason="the probe has come back",
        )
    probe = breaker.until is not None
    return BreakerOpened(
        at=at,
        applied_to=applied_to,
        device=device,
        variant=variant,
        until=at + OPEN_S,
        reason=breaker.why(),
        code=breaker.code,
        failures=1 if probe else breaker.failures,
        calls=1 if probe else len(breaker.window),
        probe=probe,
    )
