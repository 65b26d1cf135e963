"""What is known of the parts of one task."""

from dataclasses import dataclass, field, replace

from pointsman.contracts.message import BlobRef
from pointsman.contracts.parts import FailedPart, Merge, PartResult, PartsOutcome


@dataclass(frozen=True, slots=True)
class PartResults:
    """The parts of a task that was split, and how those ended that have; never changed in place."""

    merge: Merge
    payloads: tuple[BlobRef, ...]
    """In the order of the input; part 1 is the first."""
    began_at: float = 0.0
    """When the lease to cut was granted."""
    ended: dict[int, PartResult] = field(default_factory=dict[int, PartResult])
    """By number."""

    @property
    def numbers(self) -> range:
        """Of all parts."""
        return range(1, len(self.payloads) + 1)

    @property
    def complete(self) -> bool:
        """Whether every part has ended."""
        return len(self.ended) == len(self.payloads)

    @property
    def outcome(self) -> PartsOutcome:
        """Which parts have a result, as far as they have ended."""
        ends = sorted(self.ended.items())
        return PartsOutcome(
            done=tuple(number for number, end in ends if end.result is not None),
            failed=tuple(
                FailedPart(part=number, code=end.code) for number, end in ends if end.result is None
            ),
        )

    def with_end(self, number: int, result: BlobRef | None, code: str = "") -> "PartResults":
        """As it is once a part has ended."""
        size = self.payloads[number - 1].size
        end = PartResult(size=size, result=result, code=code)
        return replace(self, ended={**self.ended, number: end})
