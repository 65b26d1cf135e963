"""Messages that were set aside, recorded with their bytes and the reason."""

import hashlib
from collections.abc import Callable
from typing import Final

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import DeadLetterRecorded
from pointsman.contracts.streams import stream_id
from pointsman.eventstore.journal import Journal
from pointsman.runtime.acknowledgement import DeadLetter
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import Blobs
from pointsman.runtime.clock import Clock

_MEDIA_TYPE: Final = "application/octet-stream"
_MAX_HEADER_CHARS: Final = 4_096
_MAX_DETAIL_CHARS: Final = 1_000


class DeadLetterBox:
    """Records dead letters; implements `pointsman.runtime.acknowledgement.DeadLetters`.

    `applied_to` tells the last log position that its service has folded.
    """

    def __init__(
        self, journal: Journal, blobs: Blobs, clock: Clock, *, applied_to: Callable[[], int]
    ) -> None:
        self._journal = journal
        self._blobs = blobs
        self._clock = clock
        self._applied_to = applied_to

    async def record(self, letter: DeadLetter) -> None:
        """One stream per message, so recording it again changes nothing."""
        digest = hashlib.sha256(letter.body).hexdigest()
        stream = stream_id(
            "dead_letter", f"{letter.subject}/{letter.message_id}/{digest}", letter.tenant
        )
        body = await self._blobs.put(letter.tenant, letter.body, _MEDIA_TYPE, BlobKind.DEAD_LETTER)
        recorded = DeadLetterRecorded(
            at=self._clock.wall(),
            applied_to=self._applied_to(),
            subject=letter.subject,
            message_id=letter.message_id,
            code=letter.code,
            detail=letter.detail[:_MAX_DETAIL_CHARS],
            deliveries=letter.deliveries,
            headers=_bounded(letter),
            body=body,
        )
        await self._journal.record(Decided(stream, 0, (recorded,), letter.tenant))


def _bounded(letter: DeadLetter) -> dict[str, str]:
    return {name[:256]: value[:_MAX_HEADER_CHARS] for name, value in letter.headers.items()}
