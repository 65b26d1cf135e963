"""A reader behind several writing processes, as `bench log --tail-seconds` measures it."""

from pointsman.cli.bench.log_tail import tail_writers
from pointsman.eventstore.postgres import PostgresEventStore


async def test_a_reader_behind_sixteen_writers_in_four_processes_misses_nothing(
    database: str,
) -> None:
    async with await PostgresEventStore.open(database):
        figures = await tail_writers(database, 2)

    assert figures["read"] > 16
    assert (figures["missed"], figures["out_of_order"]) == (0, 0)
