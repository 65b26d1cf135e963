"""Which pool of a group a task was given to, and why."""

from enum import StrEnum

from pointsman.contracts.message import Message


class ChoiceBasis(StrEnum):
    """What the candidates of a choice were known by."""

    LOAD = "load"
    """Readings that are fresh, of pools that have a device for the family."""
    STALE = "stale"
    """No pool with a device for the family has said anything of late; what was said last counts."""
    UNKNOWN = "unknown"
    """No pool is known to have a device for the family."""
    ONLY = "only"
    """Nothing but one pool could take it: its sender named it, or the others were ruled out."""


class PoolCandidate(Message, frozen=True):
    """A pool that was drawn, with what was known of it."""

    pool: str
    wait_s: float | None = None
    """Expected time until the task starts; None: not known."""
    busy: float | None = None
    """Share of its slots that were taken."""
    age_s: float | None = None
    """How old the reading was."""
    sent: int = 0
    """Tasks that whoever chose had sent there since that reading; they count in `wait_s`."""


class PoolChoice(Message, frozen=True):
    """Power of two choices: two pools drawn, the one with the smaller expected wait taken."""

    chosen: str
    basis: ChoiceBasis
    pools: int
    """From how many the two were drawn."""
    candidates: tuple[PoolCandidate, ...]
    """In the order of their draws; one where there was no other."""
    draws: tuple[float, ...] = ()
    """Uniform in [0, 1), as they were used."""
    instead_of: str = ""
    """The pool that was chosen first and did not take it."""
    reason: str = ""
    """Why it did not."""
