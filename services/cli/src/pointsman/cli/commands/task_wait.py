"""`pointsman task wait`: until all tasks of a bulk have ended."""

import asyncio
from collections import Counter
from typing import Annotated, Final

import typer

from pointsman.cli.bulks import states_of
from pointsman.cli.client import StackClient, connected
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.feed import FeedBell
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, counted, seconds
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.cli.submitting import check_name, check_tenant
from pointsman.contracts.bulk import AskBulk
from pointsman.contracts.task_states import TERMINAL, TaskState

_COMPLETED: Final = TaskState.COMPLETED.value
_ENDS: Final = frozenset(state.value for state in TERMINAL)
_LOOK_AGAIN_S: Final = 0.5


def wait(
    *,
    bulk: Annotated[str, typer.Option(metavar="NAME", help="What they were submitted under.")],
    tenant: Annotated[str, typer.Option(help="Whose bulk it is.")] = DEFAULT_TENANT,
    timeout: Annotated[
        float, typer.Option(min=0, help="How many seconds; the tasks go on after that.")
    ] = 60.0,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Wait until every task of a bulk has ended; exit 7 unless all of them completed."""

    async def work(printer: Printer) -> ExitCode:
        check_tenant("--tenant", tenant)
        check_name("--bulk", bulk)
        async with connected(data) as client:
            states = await _ended(client, AskBulk(tenant=tenant, bulk=bulk), timeout)
        printer.item({"bulk": bulk, "tenant": tenant, "states": states}, _words(states))
        return ExitCode.OK if states.keys() == {_COMPLETED} else ExitCode.TASK_FAILED

    run(output, work)


async def _ended(client: StackClient, asked: AskBulk, timeout_s: float) -> Counter[str]:
    bell = FeedBell()
    await bell.listen(client)
    states = await states_of(client, asked)
    try:
        async with asyncio.timeout(timeout_s):
            while states.keys() - _ENDS:
                await bell.wait(_LOOK_AGAIN_S)
                states = await states_of(client, asked)
    except TimeoutError:
        raise _not_ended(asked, states, timeout_s) from None
    return states


def _not_ended(asked: AskBulk, states: Counter[str], timeout_s: float) -> CommandError:
    left = sum(count for state, count in states.items() if state not in _ENDS)
    return CommandError(
        f"{left} of {counted(states.total(), 'task')} of bulk {asked.bulk} had not ended within "
        f"{seconds(timeout_s)}",
        code="timeout",
        exit_code=ExitCode.TIMEOUT,
        next_step=f"they go on: pointsman task ls --bulk {asked.bulk} --tenant {asked.tenant}",
    )


def _words(states: Counter[str]) -> str:
    each = (f"{count} {state}" for state, count in states.most_common())
    return f"{counted(states.total(), 'task')} ended: {', '.join(each)}"
