"""How much load time a device may spend on displacing a model that still has work.

A device earns a fixed share of its time as credit and pays for each swap with the load of the
model that comes in. Against a fixed quantum of the same share this lets a device that has served
long answer a late class at once, and one that has just swapped repeatedly stays with what it has.
"""

from typing import Final

SHARE: Final = 0.05
"""Of a device's time that displacing swaps may take in the long run."""

CAP_LOADS: Final = 5.0
"""Credit lies between this many mean loads and as many below zero. Without the floor a device that
the bound forced to swap again and again would never displace of its own accord again."""


class SwapCredit:
    """The credit of one device in seconds of load; it starts full."""

    __slots__ = ("_cap_loads", "_earned_per_s", "_spent_s")

    def __init__(self, share: float = SHARE, cap_loads: float = CAP_LOADS) -> None:
        self._cap_loads = cap_loads
        self._earned_per_s = share / (1 - share)
        # Below the cap, so that a new mean load moves the cap and not the account.
        self._spent_s = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SwapCredit) and other._spent_s == self._spent_s

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it changes

    def tune(self, share: float, cap_loads: float) -> None:
        """Earn and be limited by other figures from now on; what was spent stays spent."""
        self._cap_loads = cap_loads
        self._earned_per_s = share / (1 - share)

    @property
    def spent_s(self) -> float:
        """Below the cap; what a snapshot keeps."""
        return self._spent_s

    def restore(self, spent_s: float) -> None:
        """Stand where another account stood."""
        self._spent_s = spent_s

    def left_s(self, mean_load_s: float) -> float:
        """What may be spent."""
        return self._cap_loads * mean_load_s - self._spent_s

    def earn(self, service_s: float) -> None:
        """Count service that has ended."""
        self._spent_s = max(0.0, self._spent_s - self._earned_per_s * service_s)

    def spend(self, load_s: float, mean_load_s: float) -> None:
        """Pay for a swap; never more than leads to the floor."""
        self._spent_s = min(self._spent_s + load_s, 2 * self._cap_loads * mean_load_s)
