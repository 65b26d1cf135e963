"""A process that stands still for the length of a block."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

import psutil

from pointsman.testing import wait_until
from pointsman.testing.hung import hung

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


async def echo() -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", ECHO, stdin=PIPE, stdout=PIPE)


async def test_a_hung_process_keeps_what_it_has_and_goes_on_later() -> None:
    process = await echo()
    assert process.stdin is not None
    assert process.stdout is not None

    with hung(process.pid):
        await wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        process.stdin.write(b"heard later\n")

    assert await process.stdout.readline() == b"heard later\n"
    process.stdin.close()
    assert await process.wait() == 0


async def test_a_process_that_is_killed_while_it_hangs_is_no_error() -> None:
    process = await echo()

    with hung(process.pid):
        process.kill()
        status = await process.wait()

    assert status < 0
