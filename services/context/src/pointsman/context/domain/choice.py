"""Which earlier turns a task gets to read, under a budget of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from pointsman.contracts.events import ContextItem

HALF_LIFE_TURNS: Final = 4
"""After so many further turns an earlier one counts half."""

CANDIDATES: Final = 32
"""Only the latest so many turns are looked at: an older one would score below 1/256, and the event
lists every one of them."""

_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier turn that may be kept."""

    turn: int
    tokens: int
    """Of its block in the payload."""
    relevance: float | None = None
    """None: not measured."""
    unusable: str = ""
    """Why it cannot be kept whatever its score."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Kept turns in their order, dropped ones by falling score."""

    kept: tuple[ContextItem, ...]
    dropped: tuple[ContextItem, ...]

    @property
    def tokens(self) -> int:
        return sum(item.tokens for item in self.kept)


def recency(turn: int, latest: int) -> float:
    """1 for the latest turn, halved every `HALF_LIFE_TURNS`."""
    return 0.5 ** ((latest - turn) / HALF_LIFE_TURNS)


def choose(candidates: Sequence[Candidate], *, latest: int, room: int) -> Choice:
    """Keep the best while they fit into `room` tokens; of equals the later one is better.

    A turn that has nothing to do with the input comes last, and is kept if there is room for it:
    what refers to the conversation ("and why?") often shares no word with it.
    A turn whose relevance was not measured counts as relevant as the others are on average; if
    none was measured, recency alone decides.
    """
    measured = [each.relevance for each in candidates if each.relevance is not None]
    usual = fmean(measured) if measured else 1.0
    items = [_item(each, recency(each.turn, latest), usual) for each in candidates]
    kept: list[ContextItem] = []
    dropped: list[ContextItem] = []
    for item in sorted(items, key=lambda each: (-each.score, -each.turn)):
        why = item.why or _refusal(item, room)
        if why:
            dropped.append(_because(item, why))
        else:
            kept.append(item)
            room -= item.tokens
    return Choice(tuple(sorted(kept, key=lambda each: each.turn)), tuple(dropped))


def _item(candidate: Candidate, recent: float, usual: float) -> ContextItem:
    relevance = candidate.relevance
    score = recent * (usual if relevance is None else relevance)
    return ContextItem(
        turn=candidate.turn,
        tokens=candidate.tokens,
        recency=round(recent, _DIGITS),
        relevance=None if relevance is None else round(relevance, _DIGITS),
        score=round(score, _DIGITS),
        why=candidate.unusable,
    )


def _refusal(item: ContextItem, room: int) -> str:
    if item.tokens > room:
        return f"it takes {item.tokens} tokens, {max(0, room)} are left"
    return ""


def _because(item: ContextItem, why: str) -> ContextItem:
    return ContextItem(
        turn=item.turn,
        tokens=item.tokens,
        recency=item.recency,
        relevance=item.relevance,
        score=item.score,
        why=why,
    )
