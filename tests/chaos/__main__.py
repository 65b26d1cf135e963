"""`python -m tests.chaos --minutes N [--seed S] [--store sqlite|postgresql]`."""

import asyncio
import logging
import signal
import sys

import structlog

from tests.chaos.chaos import chaos
from tests.chaos.options import Options, parse
from tests.chaos.record import say


async def main(options: Options) -> int:
    """Exit status: 1 when something was found. A signal stops the stack before it ends the run."""
    running = asyncio.ensure_future(chaos(options, say))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return (await running).exit_status


if __name__ == "__main__":
    # What a client of ours notes while nobody answers is what this program brings about.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
