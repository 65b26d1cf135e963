"""For how long something stood in the way of a task, from the events of other streams."""

from collections.abc import Callable
from math import inf
from typing import Final, NamedTuple

from pointsman.contracts import events
from pointsman.contracts.events import Decision, ScopeKind, TaskAccepted
from pointsman.scheduler.domain.why.around import Around, Noted
from pointsman.scheduler.domain.why.changes import ToldChanges
from pointsman.scheduler.domain.why.residents import Residents
from pointsman.scheduler.domain.why.runs import Run, reached_at
from pointsman.scheduler.domain.why.words import clock, named

Subject = tuple[str, str]
"""What a spell is about: the kind of it, and a name."""


class Spell(NamedTuple):
    """From when until when something stood in the way, and what."""

    since: float | None
    """None: since before anything that was read."""
    until: float | None
    """None: it goes on, as far as was read."""
    words: str
    positions: tuple[int, ...]
    kept_back: bool = False
    """An operator let nothing of its kind start while it lasted."""
    bound: "Bound | None" = None
    """Of a limit: what it counts."""


class Bound(NamedTuple):
    """At most so many attempts of a tenant or of a variant run at the same time."""

    running: int
    tenant: str = ""
    variant: str = ""

    def counts(self, run: Run) -> bool:
        """Whether an attempt counts against it."""
        return run.tenant == self.tenant if self.tenant else run.variant == self.variant


class Spells:
    """Folds the events around a task; ask `all` at the end."""

    def __init__(self, accepted: TaskAccepted, around: Around) -> None:
        self._accepted = accepted
        self._around = around
        self._open: dict[Subject, Spell] = {}
        self._over: list[Spell] = []
        self._residents = Residents()
        self._changes = ToldChanges(around.task, accepted)
        self._folds: Final = self._fold_table()

    def all(self) -> list[Spell]:
        """Everything, by its beginning."""
        for noted in self._around.noted:
            self._folds[type(noted.event)](noted, noted.event)
            self._residents.take(noted.event)
        spells = map(self._with_use, (*self._over, *self._open.values()))
        return sorted(spells, key=lambda spell: spell.since or 0.0)

    def _with_use(self, spell: Spell) -> Spell:
        """A limit with the time at which it was used up, if that is known."""
        bound = spell.bound
        if bound is None or spell.since is None:
            return spell
        runs = [run for run in self._around.runs if bound.counts(run)]
        until = inf if spell.until is None else spell.until
        # Nothing is known of runs before its acceptance.
        since = max(spell.since, self._accepted.at)
        at = reached_at(runs, bound.running, since, until) if bound.running else None
        if at is None:
            return spell
        return spell._replace(words=f"{spell.words}; so many ran at {clock(at)}")

    def _begin(
        self,
        subject: Subject,
        noted: Noted,
        words: str,
        *,
        until: float | None = None,
        kept_back: bool = False,
        bound: Bound | None = None,
    ) -> None:
        self._end(subject, noted)
        at, position = noted.event.at, noted.position
        self._open[subject] = Spell(at, until, words, (position,), kept_back, bound)

    def _end(self, subject: Subject, noted: Noted, words: str = "") -> bool:
        """End what is open, in other words than before if any are given; false if nothing is."""
        spell = self._open.pop(subject, None)
        if spell is None:
            return False
        until = noted.event.at if spell.until is None else min(spell.until, noted.event.at)
        positions = (*spell.positions, noted.position)
        self._over.append(
            spell._replace(until=until, words=words or spell.words, positions=positions)
        )
        return True

    def _ended_only(self, noted: Noted, words: str, *, kept_back: bool = False) -> None:
        """Something has ended whose beginning was not read."""
        self._over.append(Spell(None, noted.event.at, words, (noted.position,), kept_back))

    def _fold_table(self) -> dict[type[Decision], Callable[..., None]]:
        return {
            events.PoolPaused: self._paused,
            events.PoolResumed: self._resumed,
            events.ModelLimited: self._limited,
            events.TenantSet: self._tenant_set,
            events.DrainStarted: self._drain_started,
            events.DrainEnded: self._drain_ended,
            events.DeviceAttached: self._attached,
            events.DeviceDetached: self._gone,
            events.DeviceSuspended: self._gone,
            events.DeviceResumed: self._resumes,
            events.BreakerOpened: self._opened,
            events.BreakerClosed: self._closed,
            events.ResidencyGranted: self._granted,
            events.ResidencyChanged: self._changed,
            events.ResidencyFailed: self._failed,
            events.SlotHeld: self._kept_free,
        }

    # -- what operators ask ----------------------------------------------------------------------

    def _paused(self, noted: Noted, event: events.PoolPaused) -> None:
        if self._concerns(event.kind, event.name):
            words = f"{event.kind} {event.name} was paused by {event.by}: {event.reason}"
            whole = event.kind is not ScopeKind.MODEL or self._accepted.variants == (event.name,)
            self._begin((event.kind, event.name), noted, words, kept_back=whole)

    def _resumed(self, noted: Noted, event: events.PoolResumed) -> None:
        self._end((event.kind, event.name), noted)

    def _concerns(self, kind: ScopeKind, name: str) -> bool:
        accepted = self._accepted
        match kind:
            case ScopeKind.POOL:
                return name == accepted.pool
            case ScopeKind.FAMILY:
                return name == accepted.family
            case ScopeKind.TENANT:
                return name == accepted.tenant
            case ScopeKind.MODEL:
                return name in accepted.variants

    def _limited(self, noted: Noted, event: events.ModelLimited) -> None:
        if event.variant in self._accepted.variants:
            bound = None if event.running is None else Bound(event.running, variant=event.variant)
            self._bounded(noted, event, f"of {event.variant}", bound)

    def _tenant_set(self, noted: Noted, event: events.TenantSet) -> None:
        bound = None if event.running is None else Bound(event.running, tenant=event.tenant)
        self._bounded(noted, event, f"of tenant {event.tenant}", bound)

    def _bounded(
        self,
        noted: Noted,
        event: events.ModelLimited | events.TenantSet,
        of: str,
        bound: Bound | None,
    ) -> None:
        before = self._open.get(("limit", of))
        if before is not None and before.bound == bound:
            # Something else about the tenant was set.
            return
        self._end(("limit", of), noted)
        if bound is not None:
            words = (
                f"at most {bound.running} attempt(s) {of} might run, a limit that {event.by} had "
                f"set: {event.reason}"
            )
            self._begin(("limit", of), noted, words, bound=bound)

    def _drain_started(self, noted: Noted, event: events.DrainStarted) -> None:
        words = f"{event.device} was drained by {event.by}: {event.reason}"
        self._begin(("drain", event.device), noted, words)

    def _drain_ended(self, noted: Noted, event: events.DrainEnded) -> None:
        if not self._end(("drain", event.device), noted):
            words = f"{event.device} was drained, until {event.by} ended that: {event.reason}"
            self._ended_only(noted, words)

    # -- what happened to devices ----------------------------------------------------------------

    def _attached(self, noted: Noted, event: events.DeviceAttached) -> None:
        was_away = self._end(("away", event.device), noted)
        if cut := self._changes.cut(event):
            self._end(("load", event.device), noted, cut)
        if noted.version == 1 and not was_away:
            self._ended_only(noted, f"{event.device} was not attached yet")

    def _gone(self, noted: Noted, event: events.DeviceDetached | events.DeviceSuspended) -> None:
        what = "detached" if isinstance(event, events.DeviceDetached) else "suspended"
        words = f"{event.device} was {what} ({event.reason})"
        self._begin(("away", event.device), noted, words)

    def _resumes(self, noted: Noted, event: events.DeviceResumed) -> None:
        if not self._end(("away", event.device), noted):
            self._ended_only(noted, f"{event.device} was suspended")

    def _opened(self, noted: Noted, event: events.BreakerOpened) -> None:
        if event.variant not in self._accepted.variants:
            return
        words = f"the breaker of {event.variant} on {event.device} was open: {event.reason}"
        self._begin(("breaker", f"{event.device}/{event.variant}"), noted, words)

    def _closed(self, noted: Noted, event: events.BreakerClosed) -> None:
        ours = event.variant in self._accepted.variants
        if not self._end(("breaker", f"{event.device}/{event.variant}"), noted) and ours:
            words = f"the breaker of {event.variant} on {event.device} was open"
            self._ended_only(noted, words)

    # -- what was loaded -------------------------------------------------------------------------

    def _granted(self, noted: Noted, event: events.ResidencyGranted) -> None:
        self._end(("kept free", event.device), noted)
        self._begin(("load", event.device), noted, self._changes.begun(event))

    def _changed(self, noted: Noted, event: events.ResidencyChanged) -> None:
        words = self._changes.done(event.device)
        if not self._end(("load", event.device), noted, words) and event.loaded:
            self._ended_only(noted, f"{event.device} loaded {event.loaded}")

    def _failed(self, noted: Noted, event: events.ResidencyFailed) -> None:
        self._end(("load", event.device), noted, self._changes.failed(event))

    def _kept_free(self, noted: Noted, event: events.SlotHeld) -> None:
        if (event.family, event.variants) != (self._accepted.family, self._accepted.variants):
            return
        expected = self._residents.expected_for(event)
        who = "another device that has its model" if expected is None else named(expected)
        because = f"because {who} was expected to take it sooner"
        words = (
            f"{event.device} was kept free and loaded nothing for its class, "
            f"{because if who else 'though no device could take it sooner'}"
        )
        self._begin(("kept free", event.device), noted, words, until=event.until)
