"""Results of tasks, read from the stack's blob store."""

from pathlib import Path
from typing import Final

from pointsman.cli.stack.data_directory import blobs
from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import (
    BlobCorruptError,
    BlobExpiredError,
    BlobMissingError,
    BlobsUnavailableError,
    ShardReads,
)

_TEXTS: Final = ("text/", "application/json")


class ResultMissingError(Exception):
    """The content cannot be read here; the message says why and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_bytes(data: Path, tenant: str, content: BlobRef) -> bytes:
    """A stored content as it is; raises `ResultMissingError`. Blocking."""
    reads = ShardReads(blobs(data))
    try:
        return reads.get(tenant, content)
    except (BlobMissingError, BlobCorruptError, BlobsUnavailableError) as error:
        raise ResultMissingError(error.code, str(error)) from error
    finally:
        reads.close()


def read_result(data: Path, tenant: str, result: BlobRef) -> bytes:
    """As `read_bytes`; one whose time is over is `result_expired`."""
    try:
        return read_bytes(data, tenant, result)
    except ResultMissingError as error:
        code = "result_expired" if error.code == BlobExpiredError.code else error.code
        raise ResultMissingError(code, str(error)) from error


def text_of(content: bytes, media_type: str) -> str | None:
    """The text of a content, None when it is no text, whatever its media type promises."""
    return utf8(content) if media_type.startswith(_TEXTS) else None


def utf8(content: bytes) -> str | None:
    """The text, None when the bytes are not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def read_text(data: Path, tenant: str, result: BlobRef) -> str | None:
    """The text of a result, None when it is no text; raises `ResultMissingError`. Blocking."""
    return text_of(read_result(data, tenant, result), result.media_type)
