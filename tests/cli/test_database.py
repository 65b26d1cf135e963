"""A PostgreSQL that was given is asked before anything starts on it; each refusal has its code."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.database import check_database, given_postgresql, require_free
from pointsman.eventstore.ports import Append, Appended, TakeOver
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.runtime.servers import LocalPostgres
from pointsman.testing.servers import postgres

SECRET = "never-to-be-shown"  # noqa: S105 - of nobody


async def lead(dsn: str, *, ttl_s: float) -> None:
    """As the scheduler of another stack does."""
    async with await PostgresEventStore.open(dsn) as store:
        over = TakeOver("main", "another scheduler", epoch=1, ttl_s=ttl_s)
        assert isinstance(await store.append(Append([], take_over=over)), Appended)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[LocalPostgres]:
    async with postgres(tmp_path) as server:
        yield server


async def refusal_of(dsn: str) -> CommandError:
    with pytest.raises(CommandError) as refusal:
        await check_database(dsn)
    return refusal.value


async def a_guest(server: LocalPostgres) -> str:
    """The DSN of a user who may log in and nothing else."""
    admin = cast("asyncpg.Connection", await asyncpg.connect(server.admin_dsn))
    await admin.execute(f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'")
    await admin.close()
    return f"postgresql://guest:{SECRET}@127.0.0.1:{server.port}/pointsman"


async def test_a_database_that_can_take_a_log_tells_its_version(server: LocalPostgres) -> None:
    assert await check_database(server.dsn) == server.version


async def test_a_database_that_another_stack_leads_on_is_refused(server: LocalPostgres) -> None:
    await require_free(server.dsn)
    await lead(server.dsn, ttl_s=600)

    with pytest.raises(CommandError, match="another scheduler of another stack leads") as refusal:
        await require_free(server.dsn)

    assert (refusal.value.code, refusal.value.exit_code) == ("database_in_use", ExitCode.CONFLICT)


async def test_the_lead_of_a_stack_that_was_killed_is_waited_out(server: LocalPostgres) -> None:
    await lead(server.dsn, ttl_s=1)

    await require_free(server.dsn)


async def test_each_reason_against_a_database_has_its_own_code(server: LocalPostgres) -> None:
    address = f"127.0.0.1:{server.port}"
    guest = await a_guest(server)

    refusals = [
        await refusal_of(dsn)
        for dsn in (
            f"postgresql://pointsman:{SECRET}@{address}/pointsman",
            server.dsn_of("nowhere"),
            guest,
        )
    ]

    assert [(each.code, each.exit_code) for each in refusals] == [
        ("database_login", ExitCode.NOT_PERMITTED),
        ("database_missing", ExitCode.NOT_FOUND),
        ("database_login", ExitCode.NOT_PERMITTED),
    ]
    assert all(address in each.message for each in refusals)
    assert all("POINTSMAN_DATABASE_URL" in each.next_step for each in refusals)
    assert not [each for each in refusals if SECRET in each.message]


async def test_a_server_that_does_not_answer_is_named_without_its_password(
    unused_tcp_port: int,
) -> None:
    dsn = f"postgresql://pm:{SECRET}@127.0.0.1:{unused_tcp_port}/log"

    refusals = [
        await refusal_of(dsn),
        await refusal_of(f"postgresql://pm:{SECRET}@nowhere.invalid/log"),
    ]

    assert {each.code for each in refusals} == {"database_unreachable"}
    assert {each.exit_code for each in refusals} == {ExitCode.UNREACHABLE}
    assert not [each for each in refusals if SECRET in each.message]


@pytest.mark.parametrize(
    "dsn",
    [
        "db.example",
        f"mysql://pm:{SECRET}@db/log",
        f"postgresql://pm:{SECRET}/more@db/log",
        f"postgresql://pm:{SECRET}#more@db/log",
        f"postgresql://pm:12/{SECRET}@db/log",
        f"postgresql://pm:12#{SECRET}@db/log",
        f"postgresql://pm:12?{SECRET}@db/log",
    ],
)
def test_what_is_no_dsn_is_refused_without_being_quoted(dsn: str) -> None:
    with pytest.raises(CommandError) as refusal:
        given_postgresql(dsn)

    assert (refusal.value.code, refusal.value.exit_code) == ("database_address", ExitCode.USAGE)
    assert SECRET not in refusal.value.message
    assert "12" not in refusal.value.message
    assert dsn not in refusal.value.message


@pytest.mark.parametrize(
    ("dsn", "server"),
    [
        ("postgresql://pm:p%40ss@db:5433/log?sslmode=require", "db:5433/log"),
        ("postgres://pm@db/log?password=secret", "db/log"),
        ("postgresql:///log?host=/run/postgresql&password=secret", "on this machine/log"),
    ],
)
def test_a_given_server_is_named_by_its_address_alone(dsn: str, server: str) -> None:
    assert given_postgresql(dsn).server == server
