"""What was in the way of a task while it waited, in sentences."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.scheduler.domain.why.around import Around
from pointsman.scheduler.domain.why.spells import Spell, Spells
from pointsman.scheduler.domain.why.waiting_times import Wait, waits_of
from pointsman.scheduler.domain.why.words import clock, clock_beside

WORTH_TELLING_S: Final = 0.1
"""Nobody asks what was in the way of a shorter wait, and reading about it takes longer."""

_SHOWN: Final = 8
"""Of what no operator asked for; a long wait on a busy pool sees hundreds of loads."""


class ToldWait(NamedTuple):
    """What is told of one wait, and the events of other streams that it rests on."""

    sentences: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()


def is_worth_telling(wait: Wait, now: float) -> bool:
    """Whether a wait was long enough to ask what was in its way."""
    return (now if wait.until is None else wait.until) - wait.since >= WORTH_TELLING_S


def in_the_way(history: Sequence[Decision], around: Around, *, now: float) -> dict[int, ToldWait]:
    """What was in the way of a task, by the index of the event that ended each wait."""
    accepted = history[0]
    waits = [w for w in waits_of(history, around.free_at) if is_worth_telling(w, now)]
    if not waits or not isinstance(accepted, TaskAccepted):
        return {}
    spells = Spells(accepted, around).all()
    told = {wait.ended_by: _told_of(spells, wait) for wait in waits}
    left_out = _left_out(around)
    if left_out:
        last = waits[-1].ended_by
        told[last] = ToldWait((*told[last].sentences, *left_out), told[last].positions)
    return told


def _told_of(spells: Sequence[Spell], wait: Wait) -> ToldWait:
    """Pauses first, then all else, each by its beginning."""
    met = [spell for spell in spells if _met(spell, wait)]
    shown = [spell for spell in met if spell.kept_back]
    others = [spell for spell in met if not spell.kept_back]
    told = [_sentence(spell, wait) for spell in (*shown, *others[:_SHOWN])]
    if others[_SHOWN:]:
        more = len(others) - _SHOWN
        things = "thing" if more == 1 else "things"
        told.append(f"And {more} more {things} of that kind while it waited.")
    return ToldWait(tuple(told), _positions((*shown, *others)))


def _left_out(around: Around) -> list[str]:
    told: list[str] = []
    if around.looked_at < around.devices:
        told.append(
            f"Of the {around.devices} devices that could run it, {around.looked_at} were looked at."
        )
    if around.read_from:
        told.append(f"Not all that devices did before position {around.read_from} was looked at.")
    return told


def _met(spell: Spell, wait: Wait) -> bool:
    begins_before = wait.until is None or spell.since is None or spell.since < wait.until
    return begins_before and (spell.until is None or spell.until > wait.since)


def _sentence(spell: Spell, wait: Wait) -> str:
    began_before = spell.since is None or spell.since < wait.since
    since = wait.since if spell.since is None or began_before else spell.since
    outlasted = spell.until is None or (wait.until is not None and spell.until > wait.until)
    span = f"{clock(since)} on" if outlasted else f"{clock(since)} to {clock(spell.until or since)}"
    lead = "Kept back from" if spell.kept_back else "From"
    earlier = ""
    if spell.since is not None and began_before:
        earlier = f" (since {clock_beside(spell.since, wait.since)})"
    return f"{lead} {span}: {spell.words}{earlier}."


def _positions(spells: Iterable[Spell]) -> tuple[int, ...]:
    return tuple(sorted({position for spell in spells for position in spell.positions}))
