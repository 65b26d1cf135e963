"""Lease clocks: who has renewed what, and whose time is up.

Monotonic seconds are passed in. Clocks live in the leader's memory, not in the log: renewals are
telemetry. While the leader cannot hear its executors, because the bus or the log is down, time
stands still for them; afterwards every lease gets a full life.
"""

from collections.abc import Iterable
from uuid import UUID

from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.leases import LEASE_TTL_S, Renewal

_RESEND_AFTER_S = 1.0


class LeaseClocks:
    """Liveness of executors and of the leases that they hold."""

    def __init__(self, *, now: float) -> None:
        self._floor = now
        self._deaf_for: set[str] = set()
        self._renewed_at: dict[str, float] = {}
        self._held: dict[str, frozenset[tuple[UUID, int]]] = {}
        self._progress: dict[str, tuple[AttemptProgress, ...]] = {}

    def heard(self, executor: str, *, now: float) -> None:
        """The executor spoke: an attachment, a receipt or a report."""
        self._renewed_at[executor] = now

    def renewed(self, renewal: Renewal, *, now: float) -> None:
        """A renewal lists everything that the executor holds."""
        self.heard(renewal.executor, now=now)
        self._held[renewal.executor] = frozenset(
            (lease.task, lease.attempt) for lease in renewal.leases
        )
        self._progress[renewal.executor] = renewal.progress

    def holds(self, executor: str, task: UUID, attempt: int) -> bool:
        """Whether the last renewal listed the lease."""
        return (task, attempt) in self._held.get(executor, frozenset())

    def progress(self, executor: str, task: UUID, attempt: int) -> AttemptProgress | None:
        """How far an attempt was at the last renewal; None if its model does not say."""
        for told in self._progress.get(executor, ()):
            if (told.task, told.attempt) == (task, attempt):
                return told
        return None

    def pause(self, reason: str) -> None:
        """The leader cannot hear its executors; it is deaf until every reason is gone."""
        self._deaf_for.add(reason)

    def resume(self, reason: str, *, now: float) -> None:
        """A reason that held is gone: from now on every lease has a full life."""
        if reason in self._deaf_for:
            self._deaf_for.discard(reason)
            self._floor = now

    def deaf_until(self, now: float) -> None:
        """Nobody could be heard, as it turns out: from now on every lease has a full life."""
        self._floor = now

    def absent(self, executors: Iterable[str], *, now: float) -> list[str]:
        """Executors that have been silent for a lease's life."""
        if self._deaf_for:
            return []
        return [
            executor
            for executor in executors
            if now - max(self._floor, self._renewed_at.get(executor, self._floor)) > LEASE_TTL_S
        ]

    def unlisted_too_long(self, granted_s_ago: float, *, now: float) -> bool:
        """Whether a lease that no renewal lists has had a full life that the leader could hear."""
        heard_for = now - self._floor
        return not self._deaf_for and min(granted_s_ago, heard_for) > LEASE_TTL_S

    @staticmethod
    def resend_due(granted_s_ago: float) -> bool:
        """Whether a lease that a renewal does not list should have arrived by now."""
        return granted_s_ago > _RESEND_AFTER_S
