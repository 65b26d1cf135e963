"""The log as the leader of a pool appends to it."""

from pointsman.contracts.decided import Decided
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import AppendAnswer, Command, EventStore, Fenced, Leadership


class FencedError(Exception):
    """Another scheduler leads the pool; this one must stop deciding."""

    code = "fenced"

    def __init__(self, pool: str, *, mine: int, actual: int) -> None:
        super().__init__(
            f"epoch {mine} of pool {pool} is over, epoch {actual} leads: this scheduler stops"
        )
        self.pool = pool
        self.mine = mine
        self.actual = actual


class DecisionLog(Journal):
    """Records decisions under one leadership."""

    def __init__(self, store: EventStore, codec: EventCodec, leadership: Leadership) -> None:
        super().__init__(store, codec, leadership)
        self._led = leadership

    async def record(self, decided: Decided, command: Command | None = None) -> AppendAnswer:
        """Append one decision; raises `LogUnavailableError` and `FencedError`."""
        answer = await super().record(decided, command)
        if isinstance(answer, Fenced):
            raise FencedError(self._led.pool, mine=self._led.epoch, actual=answer.epoch)
        return answer
