"""Contents as texts."""

from typing import Final

from pointsman.context.domain.conversation import is_text
from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import BlobCorruptError, BlobMissingError, Blobs

MAX_TEXT_BYTES: Final = 1024 * 1024
"""A longer one does not fit into any context, so it is not read."""


class NoTextError(Exception):
    """A content cannot be read as a text; the context does without it and says why."""

    code = "no_text"


async def read_text(blobs: Blobs, tenant: str, content: BlobRef) -> str:
    """Raises `NoTextError` and `BlobsUnavailableError`."""
    if not is_text(content):
        raise NoTextError(f"it is {content.media_type or 'of no media type'}, not a text")
    if content.size > MAX_TEXT_BYTES:
        raise NoTextError(f"it has {content.size} bytes, at most {MAX_TEXT_BYTES} are read")
    try:
        return (await blobs.get(tenant, content)).decode()
    except UnicodeDecodeError:
        raise NoTextError("it is no UTF-8") from None
    except (BlobMissingError, BlobCorruptError) as error:
        raise NoTextError(f"its words cannot be read ({error.code})") from error


async def text_or_none(blobs: Blobs, tenant: str, content: BlobRef) -> str | None:
    """Raises `BlobsUnavailableError`."""
    try:
        return await read_text(blobs, tenant, content)
    except NoTextError:
        return None
