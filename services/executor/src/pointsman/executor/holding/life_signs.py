"""What one attempt says while it runs, and to whom it is told."""

from collections.abc import Callable

import msgspec

from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.leases import Lease, Outcome, RunCompleted
from pointsman.executor.holding.checkpoints import Checkpoints
from pointsman.executor.holding.token_streams import TokenStream
from pointsman.executor.ports import Checkpoint, Piece, Progress


class LifeSigns:
    """Text and progress go to whoever watches, checkpoints to the leader.

    How far the attempt is stands in `progress` for the renewals. Pieces of text are no such signs:
    most models that write say nothing about how far they are.
    """

    def __init__(
        self,
        lease: Lease,
        stream: TokenStream,
        checkpoints: Checkpoints,
        clock: Callable[[], float],
    ) -> None:
        self._lease = lease
        self._stream = stream
        self._checkpoints = checkpoints
        self._clock = clock
        self._last = Progress()
        self._heard_at = 0.0
        self._parts = 0

    def take(self, piece: Piece) -> None:
        """The engine's next piece."""
        match piece:
            case bytes():
                self._stream.add(piece)
                return
            case Progress():
                if piece.share is not None or piece.note:
                    self._last = piece
                    self._stream.tell(piece)
            case Checkpoint():
                self._checkpoints.take(piece.data, self._last.share)
        self._parts += 1
        self._heard_at = self._clock()

    @property
    def progress(self) -> AttemptProgress | None:
        """What the next renewal says; None: it has said nothing."""
        if not self._parts:
            return None
        return AttemptProgress(
            task=self._lease.task,
            attempt=self._lease.attempt,
            progress=self._last.share,
            note=self._last.note,
            parts=self._parts,
            silent_s=round(max(0.0, self._clock() - self._heard_at), 3),
        )

    async def end(self, outcome: Outcome) -> Outcome:
        """The outcome with what is to be remembered; all who have to know the rest know it then."""
        if isinstance(outcome, RunCompleted):
            self._checkpoints.close()
            outcome = msgspec.structs.replace(outcome, progress_parts=self._parts)
        else:
            await self._checkpoints.end()
        await self._stream.end(outcome)
        return outcome

    def close(self) -> None:
        """Nothing is told any more."""
        self._stream.close()
        self._checkpoints.close()
