"""A stack inside one block of code, for commands that need one of their own."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from pointsman.cli.stack.plan import StackPlan
from pointsman.cli.stack.supervisor import Supervisor


def _silent(_line: str) -> None:
    """Nobody reads along."""


@asynccontextmanager
async def running_stack(
    plan: StackPlan, say: Callable[[str], None] = _silent
) -> AsyncGenerator[Supervisor]:
    """Run a stack of real child processes until the block ends; `say` gets sentences for people.

    Use it on the main thread's event loop. Raises `CommandError` when the directory cannot be used,
    `ServerError` when a server cannot run here, `PartFailedError` when a part does not start.
    """
    supervisor = Supervisor(plan, say)
    try:
        await supervisor.start()
        yield supervisor
    finally:
        await supervisor.stop()
