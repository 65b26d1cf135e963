"""Tasks that were submitted together, under one name."""

import asyncio
from collections import Counter

from pointsman.cli.client import StackClient
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.contracts.bulk import AskBulk, BulkRow


async def states_of(client: StackClient, asked: AskBulk) -> Counter[str]:
    """Its tasks by state, over all pools; raises `CommandError`, `no_such_bulk` among others."""
    pools = client.record.pools
    rows = (client.ask("bulk", asked, BulkRow, pool=pool) for pool in pools)
    states: Counter[str] = Counter()
    for row in await asyncio.gather(*rows):
        states.update(row.states)
    if not states:
        raise CommandError(
            f"tenant {asked.tenant} has submitted nothing under the name {asked.bulk!r}",
            code="no_such_bulk",
            exit_code=ExitCode.NOT_FOUND,
            next_step="use the name that --bulk was given when the tasks were submitted, and their "
            "--tenant",
        )
    return states
