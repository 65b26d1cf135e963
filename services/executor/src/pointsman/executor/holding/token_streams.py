"""Text and progress of one running attempt on their way to whoever watches the task."""

import asyncio
import codecs
from typing import Final

from pointsman.contracts.leases import Lease, Outcome, RunFailed
from pointsman.contracts.token_streams import StreamPart
from pointsman.executor.ports import Progress, Streams

PUBLISH_EVERY_S: Final = 0.05
"""A person reads 20 parts a second as one flow; a thousand tokens a second stay 20 messages."""
LOOK_AGAIN_S: Final = 1.0
"""While nobody watches, one empty part this often finds out who came; at first sooner."""

MAX_PART_CHARS: Final = 64 * 1024
"""Escaped in JSON, six times as many bytes are well below a message's megabyte."""


class TokenStream:
    """Collects the pieces of one attempt; publishes the first at once and the others packed.

    Whoever begins to watch in the middle is told the text from its beginning, if nobody else
    watches; beside others he sees by the offset how much he missed. Without a piece nothing is
    published at all.
    """

    def __init__(
        self,
        lease: Lease,
        streams: Streams,
        *,
        every_s: float = PUBLISH_EVERY_S,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._lease = lease
        self._streams = streams
        self._every_s = every_s
        self._look_again_s = look_again_s
        # A token of a model may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pieces: list[str] = []
        self._next_piece = 0
        self._offset = 0
        self._sequence = 0
        self._progress = Progress()
        self._progress_told = True
        self._fresh = asyncio.Event()
        self._publishing: asyncio.Task[None] | None = None

    def add(self, piece: bytes) -> None:
        """The engine's next piece."""
        self._pieces.append(self._decoder.decode(piece))
        self._begin()

    def tell(self, progress: Progress) -> None:
        """How far the model is; of several that came at about the same time, the last is told."""
        self._progress, self._progress_told = progress, False
        self._begin()

    async def end(self, outcome: Outcome) -> None:
        """Publish what is left, and how the attempt ended."""
        if self._publishing is None:
            return
        self.close()
        self._pieces.append(self._decoder.decode(b"", final=True))
        rest = self._rest() if self._heard() else [""]
        for text in rest[:-1]:
            await self._send(text)
        code = outcome.code if isinstance(outcome, RunFailed) else ""
        await self._send(rest[-1], outcome=str(outcome.__struct_config__.tag), code=code)
        self._streams.forget(self._lease.task, self._lease.attempt)

    def close(self) -> None:
        """Publish nothing more on its own."""
        if self._publishing is not None:
            self._publishing.cancel()

    def _begin(self) -> None:
        self._fresh.set()
        if self._publishing is None:
            self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def _publish(self) -> None:
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            for text in self._rest():
                await self._send(text)
            await asyncio.sleep(self._every_s)
            # Whoever submitted the task comes a moment later, once he knows its id.
            pause_s = self._every_s
            while not self._heard():
                # Who hears this one is told everything with the next.
                self._next_piece = self._offset = 0
                await self._send("")
                self._progress_told = False
                self._fresh.set()
                pause_s = min(self._look_again_s, 2 * pause_s)
                await asyncio.sleep(pause_s)

    def _heard(self) -> bool:
        return self._streams.heard(self._lease.task, self._lease.attempt)

    def _rest(self) -> list[str]:
        text = "".join(self._pieces[self._next_piece :])
        self._next_piece = len(self._pieces)
        starts = range(0, max(1, len(text)), MAX_PART_CHARS)
        return [text[start : start + MAX_PART_CHARS] for start in starts]

    async def _send(self, text: str, *, outcome: str = "", code: str = "") -> None:
        self._sequence += 1
        progress = Progress() if self._progress_told else self._progress
        self._progress_told = True
        part = StreamPart(
            task=self._lease.task,
            attempt=self._lease.attempt,
            sequence=self._sequence,
            offset=self._offset,
            text=text,
            progress=progress.share,
            note=progress.note,
            outcome=outcome,
            code=code,
        )
        self._offset += len(text)
        await self._streams.publish(part)
