"""Inputs that are too large for a message: stored first, then named in the command."""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from pointsman.cli.failures import CommandError, ExitCode, why_not
from pointsman.cli.stack.data_directory import blobs
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES, SubmitTask
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobsUnavailableError, SqliteBlobs
from pointsman.runtime.file_lock import FileInUseError

SHARD: Final = "cli"
"""The shard of the blob store that commands write to, one at a time."""

_WAIT_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.05


async def by_reference(command: SubmitTask, data: Path) -> SubmitTask:
    """The same command, with a payload that is too large for it in the stack's blob store.

    Raises `CommandError`.
    """
    payload = command.payload
    if payload is None or len(payload) <= MAX_PAYLOAD_BYTES:
        return command
    kind = BlobKind.PAYLOAD if command.conversation is None else BlobKind.KEPT
    store = await _store(data)
    try:
        ref = await store.put(command.tenant, payload, command.media_type, kind)
    except BlobsUnavailableError as error:
        raise _not_stored(str(error)) from error
    finally:
        await store.close()
    return msgspec.structs.replace(command, payload=None, payload_ref=ref)


async def _store(data: Path) -> SqliteBlobs:
    loop = asyncio.get_running_loop()
    until = loop.time() + _WAIT_S
    while True:
        try:
            return SqliteBlobs(blobs(data), SHARD)
        except FileInUseError as error:
            if loop.time() >= until:
                raise _not_stored(str(error)) from error
        except OSError as error:
            raise _not_stored(why_not(error)) from error
        await asyncio.sleep(_LOOK_AGAIN_S)


def _not_stored(why: str) -> CommandError:
    return CommandError(
        f"the input cannot be stored: {why}",
        code="input_not_stored",
        exit_code=ExitCode.FAILURE,
        next_step="try again, or send less than 512 KiB",
    )
