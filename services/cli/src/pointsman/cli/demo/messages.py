"""Which messages the demo sends: ordinary tasks, and three that test the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pointsman.cli.demo.texts import SourceText

FAMILIES: Final = ("summarize", "classify", "embed")
CLASSES: Final = ("interactive", "standard", "batch", "background")
TENANTS: Final = ("acme", "globex")

# A millisecond: less than any model needs.
_INFEASIBLE_MS: Final = 1


class Case(StrEnum):
    """What a message is there to show."""

    ORDINARY = "ordinary"
    INFEASIBLE = "infeasible deadline"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


SPECIAL: Final = (Case.INFEASIBLE, Case.DUPLICATE, Case.MALFORMED)


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """One message; `event_id` is what makes a repetition of a task recognisable."""

    number: int
    case: Case
    tenant: str
    event_id: str
    text: SourceText
    data: dict[str, Any]

    @property
    def binary(self) -> bool:
        """Every other message is sent in binary mode."""
        return self.number % 2 == 1


def special_cases(count: int) -> tuple[Case, ...]:
    """The cases that fit beside one ordinary task of each family."""
    return SPECIAL[: max(0, count - len(FAMILIES))]


def plan_messages(texts: Sequence[SourceText], run: str) -> list[PlannedMessage]:
    """One message per text, special ones at the end; `run` makes the event ids unique."""
    cases = special_cases(len(texts))
    ordinary = len(texts) - len(cases)
    messages = [_ordinary(number, text, run) for number, text in enumerate(texts[:ordinary])]
    for number, (case, text) in enumerate(zip(cases, texts[ordinary:], strict=True), ordinary):
        messages.append(_special(case, number, text, run, messages[0]))
    return messages


def _ordinary(number: int, text: SourceText, run: str) -> PlannedMessage:
    data = {
        "family": FAMILIES[number % len(FAMILIES)],
        "text": text.text,
        "priority_class": CLASSES[number % len(CLASSES)],
    }
    # Shifted every four messages, so that each tenant sends each class.
    tenant = TENANTS[(number + number // len(CLASSES)) % len(TENANTS)]
    return PlannedMessage(number, Case.ORDINARY, tenant, f"{run}-{number}", text, data)


def _special(
    case: Case, number: int, text: SourceText, run: str, first: PlannedMessage
) -> PlannedMessage:
    message = _ordinary(number, text, run)
    if case is Case.INFEASIBLE:
        data = {**message.data, "deadline_ms": _INFEASIBLE_MS}
        return PlannedMessage(number, case, message.tenant, message.event_id, text, data)
    if case is Case.DUPLICATE:
        return PlannedMessage(number, case, first.tenant, first.event_id, first.text, first.data)
    return PlannedMessage(number, case, message.tenant, message.event_id, text, message.data)
