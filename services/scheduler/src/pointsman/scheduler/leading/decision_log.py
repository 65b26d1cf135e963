"""The log as the leader of a pool appends to it."""

from pointsman.contracts.decided import Decided
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import (
    AppendAnswer,
    Command,
    EventStore,
    Fenced,
    LogUnavailableError,
)
from pointsman.scheduler.leading.lead import Lead


class DecisionLog(Journal):
    """Records decisions under a lead, which learns from every append whether the log answers."""

    def __init__(self, store: EventStore, codec: EventCodec, lead: Lead) -> None:
        super().__init__(store, codec, lead.leadership)
        self.lead = lead

    async def record(self, decided: Decided, command: Command | None = None) -> AppendAnswer:
        """Append one decision; raises `LogUnavailableError` and `FencedError`."""
        try:
            answer = await super().record(decided, command)
        except LogUnavailableError:
            self.lead.log_silent()
            raise
        if isinstance(answer, Fenced):
            raise self.lead.fenced(answer.epoch)
        self.lead.log_answered()
        return answer
