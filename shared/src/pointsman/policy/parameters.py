"""What the policy can be set to: every figure that a decision compares with, as data.

A document names only what differs from the defaults:

    swap_share = 0.1
    holder_patience_loads = 3

    [windows.standard]
    due_s = 20
    floor_s = 1
"""

import hashlib
import tomllib
from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import Annotated, Any, Final, cast

import msgspec

from pointsman.contracts.message import PriorityClass
from pointsman.policy.class_queue import LEAST_GAP_S
from pointsman.policy.holder_wait import IDLE_PATIENCE, PATIENCE
from pointsman.policy.order import MAX_BOOST_S, WINDOWS, Window
from pointsman.policy.swap_credit import CAP_LOADS, SHARE

MOST_HEDGED: Final = 0.02
"""No pool hedges more of its requests than this."""


class ParametersError(Exception):
    """A document does not set the policy; whoever wrote it must correct what is named.

    `code` is stable: `policy_unreadable`, `policy_unknown_key` or `policy_value`.
    """

    def __init__(self, message: str, *, code: str, next_step: str) -> None:
        super().__init__(message)
        self.code = code
        self.next_step = next_step


class Windows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When tasks of each priority class are due, and not before."""

    interactive: Window = WINDOWS[PriorityClass.INTERACTIVE]
    standard: Window = WINDOWS[PriorityClass.STANDARD]
    batch: Window = WINDOWS[PriorityClass.BATCH]
    background: Window = WINDOWS[PriorityClass.BACKGROUND]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the policy is set to; durations in seconds, or in loads of the model in question."""

    swap_share: Annotated[float, msgspec.Meta(ge=0.001, le=0.9)] = SHARE
    """Share of a device's time that displacing swaps may take in the long run."""
    credit_cap_loads: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = CAP_LOADS
    """A device's credit lies between so many mean loads and as many below zero."""
    holder_patience_loads: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = PATIENCE
    """So many loads a class waits for a device that has its model, before it loads another; while n
    devices have nothing to do, an nth of that."""
    idle_patience_loads: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = IDLE_PATIENCE
    """But so many at the least, and never more than `holder_patience_loads`."""
    unserved_patience_loads: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = 0.0
    """So many loads at the most a device is kept free for a class of which nothing may start, or
    that no device with its model serves; above 0 it waits for one whose canary answers wrongly."""
    least_gap_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = LEAST_GAP_S
    """Device-seconds by which a tenant may be ahead and have its late task served all the same."""
    max_boost_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = MAX_BOOST_S
    """No task is due earlier than this by its boost."""
    hedge_share: Annotated[float, msgspec.Meta(ge=0, le=MOST_HEDGED)] = 0.0
    """Of so many of its requests a pool may run a second attempt beside one that takes long; 0:
    none. No simulation hedges."""
    windows: Windows = Windows()

    def windows_by_class(self) -> dict[PriorityClass, Window]:
        """As `virtual_deadline` takes them."""
        return {each: getattr(self.windows, each.value) for each in PriorityClass}

    def figures(self) -> dict[str, float]:
        """Every value under its dotted name, for reports."""
        return dict(_flat(msgspec.to_builtins(self)))


DEFAULTS: Final = Parameters()

UNTOLD: Final = Parameters(idle_patience_loads=1_000.0, unserved_patience_loads=1_000.0)
"""What holds where a log does not tell: each parameter as it was decided before it existed.

A log that sets nothing was written when the defaults of that time were not recorded.
"""

RULES: Final = "policy-6"
"""Names the rules of this package with their default parameters; changes with either."""

_EARLIER: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "policy-5": frozenset({"unserved_patience_loads"}),
        "policy-4": frozenset({"unserved_patience_loads", "idle_patience_loads"}),
    }
)
"""The rules of before, latest first, by the parameters that they did not have, which are `UNTOLD`
there; no digest of theirs may count them."""

KNOWN_RULES: Final = frozenset({RULES, *_EARLIER})
"""What is decided here as it was decided then."""

_BESIDE: Final = "+"


def config_of(parameters: Parameters) -> str:
    """How decisions name a policy: its rules, and a digest of parameters that are not the defaults.

    Two sets of parameters with the same figures have the same name, in every release.
    """
    told, untold = parameters.figures(), UNTOLD.figures()
    rules, lacking = RULES, frozenset[str]()
    for earlier, names in _EARLIER.items():
        if all(told[name] == untold[name] for name in names):
            rules, lacking = earlier, names
    told, defaults = _without(told, lacking), _without(DEFAULTS.figures(), lacking)
    return rules if told == defaults else f"{rules}{_BESIDE}{_digest(told)}"


def rules_of(config: str) -> str:
    """The rules that a name says, whatever the parameters."""
    return config.partition(_BESIDE)[0]


def from_figures(figures: Mapping[str, float]) -> Parameters:
    """What `Parameters.figures` gave, of any release; those that it lacked are `UNTOLD`."""
    known = UNTOLD.figures()
    document: dict[str, Any] = {}
    for name, value in figures.items():
        if name in known:
            *tables, key = name.split(".")
            table = document
            for each in tables:
                table = table.setdefault(each, {})
            table[key] = value
    return msgspec.convert(_over(msgspec.to_builtins(UNTOLD), document), type=Parameters)


def read_parameters(text: str) -> Parameters:
    """The parameters that a TOML document sets; raises `ParametersError`."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ParametersError(
            f"the policy is not TOML: {error}",
            code="policy_unreadable",
            next_step="correct the line that is named",
        ) from None
    known = DEFAULTS.figures()
    for name, value in _flat(given):
        if name not in known:
            raise ParametersError(
                f"the policy has no {name}",
                code="policy_unknown_key",
                next_step=f"it has {', '.join(known)}",
            )
        if isinstance(value, float) and not isfinite(value):
            raise ParametersError(
                f"{name} is {value}", code="policy_value", next_step="give a finite number"
            )
    try:
        return msgspec.convert(_over(msgspec.to_builtins(DEFAULTS), given), type=Parameters)
    except msgspec.ValidationError as error:
        raise ParametersError(
            str(error), code="policy_value", next_step="give a value in that range"
        ) from None


def _without(figures: Mapping[str, float], names: frozenset[str]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if name not in names}


def _digest(figures: Mapping[str, float]) -> str:
    """Tells sets of parameters apart."""
    values = sorted((name, float(value)) for name, value in figures.items())
    return hashlib.blake2b(msgspec.json.encode(values), digest_size=4).hexdigest()


def _over(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    for name, value in given.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _over(merged[name], cast("dict[str, Any]", value))
        else:
            merged[name] = value
    return merged


def _flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            pairs += _flat(cast("dict[str, Any]", value), f"{prefix}{name}.")
        else:
            pairs.append((prefix + name, value))
    return pairs
