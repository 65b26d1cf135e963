"""The degradation service: commands on `pm.cmd.degradation.<verb>`, questions on `pm.query`.

A command message is a JSON array of commands of one verb, answered by the array of their answers
(see `commands`) after the commit. A question is one JSON object, its reply one JSON document.

verb            message         reply
`override`      `SetOverride`   `Done`, or `Rejected`: `ttl_out_of_range`, `unknown_pool`
`end_override`  `EndOverride`   `Done`, or `Rejected`: `unknown_pool`
`state`         `AskLadders`    list of `LadderRow`, one per pool
`history`       `AskHistory`    list of `HistoryRow`, newest first
"""

from typing import Annotated, Final

import msgspec

from pointsman.contracts.events import OverrideSet, Pressure, Strategy
from pointsman.contracts.levels import Level
from pointsman.contracts.message import Message

MIN_TTL_S: Final = 1.0
MAX_TTL_S: Final = 24 * 3600.0
"""An override ends by itself; who wants it longer says so again."""

CommandId = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
MAX_WORDS_CHARS: Final = 500
_Words = Annotated[str, msgspec.Meta(max_length=MAX_WORDS_CHARS)]


class SetOverride(Message, frozen=True):
    """Hold the ladder of a pool at a level, whatever its signals say."""

    command_id: CommandId
    pool: str
    level: Level
    ttl_s: float
    """`MIN_TTL_S` to `MAX_TTL_S`."""
    by: _Words
    reason: _Words = ""


class EndOverride(Message, frozen=True):
    """Let the ladder follow its signals again."""

    command_id: CommandId
    pool: str
    by: _Words


class AskLadders(Message, frozen=True):
    """Where the ladders stand, and on what grounds."""


class AskHistory(Message, frozen=True):
    """The latest decisions about levels, overrides and fallbacks."""

    limit: int = 50
    """1 to 1000."""
    pool: str = ""
    """Of this pool only; empty: of all."""


class Thresholds(Message, frozen=True):
    """The settings that the ladder climbs by."""

    conserve_s: float
    degrade_s: float
    shed_s: float
    up_hold_s: float
    recovery_s: float
    hold_s: float
    recovery_load: float
    device_high: float


class InputAge(Message, frozen=True):
    """When a reading was last heard."""

    input: str
    """`pool` or `device/<name>`."""
    age_s: float
    stale: bool = False


class HoldTimer(Message, frozen=True):
    """A condition that has to last before the ladder moves."""

    condition: str
    for_s: float | None
    """How long it has held without a break; None: it does not hold."""
    needed_s: float


class FallbackRow(Message, frozen=True):
    """A variant that failed, until its fallback ends."""

    variant: str
    family: str
    fallback: str
    """Empty: none was viable, the variant stays in use."""
    code: str
    failures: int
    since: float
    until: float
    strategy: Strategy


class LadderRow(Message, frozen=True):
    """One pool's ladder as the service sees it now."""

    pool: str
    level: Level
    held_s: float | None
    """None: it has never moved."""
    inputs: Pressure
    thresholds: Thresholds
    since: float | None = None
    override: OverrideSet | None = None
    ages: tuple[InputAge, ...] = ()
    timers: tuple[HoldTimer, ...] = ()
    fallbacks: tuple[FallbackRow, ...] = ()


class HistoryRow(Message, frozen=True):
    """One decision."""

    position: int
    at: float
    topic: str
    what: str
    """A sentence."""
    event: msgspec.Raw
    """The event as it was stored."""
    pool: str = ""
    """Whose ladder or variants it is about."""
