"""Results of tasks, read from the stack's blob store."""

from pathlib import Path
from typing import Final

from pointsman.cli.stack.data_directory import blobs
from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import (
    BlobCorruptError,
    BlobMissingError,
    BlobsUnavailableError,
    ShardReads,
)

_TEXTS: Final = ("text/", "application/json")


class ResultMissingError(Exception):
    """The result cannot be read here; the message says why and what to do."""


def read_text(data: Path, tenant: str, result: BlobRef) -> str | None:
    """The text of a result, None when it is no text; raises `ResultMissingError`. Blocking."""
    if not result.media_type.startswith(_TEXTS):
        return None
    reads = ShardReads(blobs(data))
    try:
        return reads.get(tenant, result).decode("utf-8")
    except (BlobMissingError, BlobCorruptError, BlobsUnavailableError, UnicodeDecodeError) as error:
        raise ResultMissingError(str(error)) from error
    finally:
        reads.close()
