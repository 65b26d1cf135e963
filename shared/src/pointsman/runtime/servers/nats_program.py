"""Finding a nats-server that is new enough."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from pointsman.runtime.servers.errors import ServerMissingError, ServerTooOldError

_INSTALL: Final = "Run `./dev setup`, or install nats-server 2.14 or newer and put it on PATH."

# The 2.12 line got the fixes that we rely on in 2.12.7; the next line that has them all is 2.14.
_OLDEST: Final = (2, 14, 0)
_OLDEST_ON_2_12: Final = (2, 12, 7)


def find_nats_server() -> Path:
    """Find the program beside the running interpreter, else on PATH.

    Raises:
        ServerMissingError: ``nats_server_missing``; neither place has it.
    """
    beside = Path(sys.executable).parent / "nats-server"
    if os.access(beside, os.X_OK):
        return beside
    on_path = shutil.which("nats-server")
    if on_path is None:
        message = f"nats-server is neither in {beside.parent} nor on PATH."
        raise ServerMissingError(message, code="nats_server_missing", next_step=_INSTALL)
    return Path(on_path).absolute()


async def check_nats_server(binary: Path) -> str:
    """Give the version of ``binary``, for example ``2.14.1``.

    Raises:
        ServerTooOldError: ``nats_too_old``; neither 2.14.0 or later, nor 2.12.7 or later of 2.12.
        ServerMissingError: ``nats_server_unusable``; it cannot be run or does not state a version.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            str(binary),
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    except OSError as error:
        message = f"{binary} cannot be run: {error}."
        raise ServerMissingError(
            message, code="nats_server_unusable", next_step=_INSTALL
        ) from error
    match = re.search(r"v(\d+)\.(\d+)\.(\d+)(-[\w.]+)?", output.decode(errors="replace"))
    if match is None:
        message = f"{binary} --version does not state a version."
        raise ServerMissingError(message, code="nats_server_unusable", next_step=_INSTALL)
    version = (int(match[1]), int(match[2]), int(match[3]))
    oldest = _OLDEST_ON_2_12 if version[:2] == _OLDEST_ON_2_12[:2] else _OLDEST
    # A release candidate of the oldest version that will do still lacks its last fixes.
    if version < oldest or (version == oldest and match[4]):
        needed = "2.14.0 or later, or 2.12.7 or later of 2.12"
        raise ServerTooOldError(
            str(binary), code="nats_too_old", found=match[0], needed=needed, next_step=_INSTALL
        )
    return match[0].removeprefix("v")
