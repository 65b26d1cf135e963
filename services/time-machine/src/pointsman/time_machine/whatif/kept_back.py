"""From when to when operators kept tasks back, and nobody decided."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from pointsman.contracts import events
from pointsman.contracts.events import Decision, ScopeKind
from pointsman.time_machine.circumstances import (
    Circumstance,
    ModelLimited,
    PoolStops,
    TenantLimited,
)

OF_LIMITS: Final = (
    events.PoolPaused,
    events.PoolResumed,
    events.ModelLimited,
    events.TenantSet,
    events.LeaderElected,
)

_AT_ONCE_S: Final = 0.05
"""Tasks arrive at once that arrive within so many seconds of each other."""

Scope = tuple[ScopeKind, str]
Spell = tuple[float, float]


def union(spells: Iterable[Spell]) -> Iterator[Spell]:
    """The same time in spells that do not overlap, in order."""
    since, until = inf, -inf
    for begin, end in sorted(spells):
        if begin <= until:
            until = max(until, end)
            continue
        if since < until:
            yield since, until
        since, until = begin, end
    if since < until:
        yield since, until


def overlap_s(spells: Iterable[Spell], since: float, until: float) -> float:
    """Seconds of a time that any of the spells covers."""
    return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in union(spells))


def closings(circumstances: Iterable[Circumstance]) -> dict[str, list[Spell]]:
    """When nothing of a model might begin, by its name."""
    closed: dict[str, list[Spell]] = {}
    since: dict[str, float] = {}
    for each in circumstances:
        if not isinstance(each, ModelLimited):
            continue
        if each.running == 0:
            since.setdefault(each.model, each.at)
        elif each.model in since:
            closed.setdefault(each.model, []).append((since.pop(each.model), each.at))
    return closed


@dataclass(slots=True)
class Intake:
    """Times in which a leader took tasks in and decided nothing.

    A round comes after what has arrived at once, and finds all of it.
    """

    spells: list[Spell] = field(default_factory=list[Spell])
    _since: float = -inf
    _last: float = -inf

    def accepted(self, at: float) -> None:
        """A task was accepted."""
        if at - self._last > _AT_ONCE_S:
            self._since = at
        self._last = at

    def decided(self, at: float) -> None:
        """Something was granted."""
        if at - self._last <= _AT_ONCE_S and self._since < self._last:
            self.spells.append((self._since, self._last))
        self._since = self._last = -inf


@dataclass(slots=True)
class KeptBack:
    """Takes the events of a pool in order."""

    _events: list[Decision] = field(default_factory=list[Decision])
    _outages: list[Spell] = field(default_factory=list[Spell])
    intake: Intake = field(default_factory=Intake)
    _paused: dict[Scope, float] = field(default_factory=dict[Scope, float])
    """Since when."""
    _pauses: dict[Scope, list[Spell]] = field(default_factory=dict[Scope, list[Spell]])
    """Those that are over."""
    _was_led: bool = False

    def take(self, event: Decision, seen_at: float) -> None:
        """The next of `OF_LIMITS`; the last sign of anybody before it was seen at that time."""
        if isinstance(event, events.LeaderElected):
            if self._was_led and seen_at < event.at:
                self._outages.append((seen_at, event.at))
            self._was_led = True
            return
        self.turn(event)
        self._events.append(event)

    def turn(self, event: Decision) -> None:
        """Something is paused or goes on, also behind the time that is repeated."""
        match event:
            case events.PoolPaused():
                self._paused.setdefault((event.kind, event.name), event.at)
            case events.PoolResumed():
                scope = event.kind, event.name
                if (since := self._paused.pop(scope, None)) is not None:
                    self._pauses.setdefault(scope, []).append((since, event.at))
            case _:
                pass

    def is_paused(self, scopes: Iterable[Scope]) -> bool:
        """Whether a pause of any of them goes on."""
        return any(scope in self._paused for scope in scopes)

    def spells(self, scopes: Iterable[Scope]) -> list[Spell]:
        """When any of them was paused; what goes on has no end."""
        found = [spell for scope in scopes for spell in self._pauses.get(scope, ())]
        return found + [(self._paused[scope], inf) for scope in scopes if scope in self._paused]

    def circumstances(
        self, end: float, models: Mapping[str, Sequence[str]]
    ) -> Iterator[Circumstance]:
        """What to repeat, times as recorded; at the end of the time all may begin again.

        `models` are those of each family.
        """
        standing = _Standing(models)
        for event in self._events:
            yield from standing.after(event)
        for since, until in self._outages:
            yield PoolStops(since, "nobody leads it", stops=True)
            yield PoolStops(until, "nobody leads it", stops=False)
        for since, until in self.intake.spells:
            yield PoolStops(since, "its leader takes tasks in", stops=True)
            yield PoolStops(until, "its leader takes tasks in", stops=False)
        yield from standing.lifted(end)


class _Standing:
    """What stands after each event."""

    def __init__(self, models: Mapping[str, Sequence[str]]) -> None:
        self._models = models
        self._paused: set[Scope] = set()
        self._limits: dict[str, int | None] = {}
        self._tenants: dict[str, tuple[int | None, float]] = {}
        self._family_of = {each: family for family, of in models.items() for each in of}

    def after(self, event: Decision) -> Iterator[Circumstance]:
        """What is different."""
        match event:
            case events.PoolPaused() | events.PoolResumed():
                scope = event.kind, event.name
                paused = isinstance(event, events.PoolPaused)
                (self._paused.add if paused else self._paused.discard)(scope)
                yield from self._of_scope(event.at, scope)
            case events.ModelLimited():
                self._limits[event.variant] = event.running
                yield self._of_model(event.at, event.variant)
            case events.TenantSet():
                self._tenants[event.tenant] = event.running, event.weight
                yield self._of_tenant(event.at, event.tenant)
            case _:
                pass

    def lifted(self, at: float) -> Iterator[Circumstance]:
        """Pauses and limits are over; weights go on."""
        scopes, self._paused = self._paused, set()
        limited, self._limits = list(self._limits), {}
        self._tenants = {name: (None, weight) for name, (_, weight) in self._tenants.items()}
        for scope in sorted(scopes):
            yield from self._of_scope(at, scope)
        for model in limited:
            yield self._of_model(at, model)
        for tenant in self._tenants:
            yield self._of_tenant(at, tenant)

    def _of_scope(self, at: float, scope: Scope) -> Iterator[Circumstance]:
        match scope:
            case (ScopeKind.POOL, _):
                yield PoolStops(at, "it is paused", stops=scope in self._paused)
            case (ScopeKind.TENANT, name):
                yield self._of_tenant(at, name)
            case (ScopeKind.FAMILY, name):
                for model in self._models.get(name, ()):
                    yield self._of_model(at, model)
            case (ScopeKind.MODEL, name):
                yield self._of_model(at, name)

    def _of_model(self, at: float, model: str) -> ModelLimited:
        family = ScopeKind.FAMILY, self._family_of.get(model, "")
        paused = (ScopeKind.MODEL, model) in self._paused or family in self._paused
        return ModelLimited(at, model, 0 if paused else self._limits.get(model))

    def _of_tenant(self, at: float, tenant: str) -> TenantLimited:
        running, weight = self._tenants.get(tenant, (None, 1.0))
        paused = (ScopeKind.TENANT, tenant) in self._paused
        return TenantLimited(at, tenant, 0 if paused else running, weight)
