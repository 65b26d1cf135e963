"""Which PostgreSQL is taken, and why another one is not."""

import os
from pathlib import Path

import pytest

from pointsman.runtime.servers import (
    PostgresProgram,
    ServerAccount,
    ServerError,
    ServerMissingError,
    ServerTooOldError,
    find_postgres,
)

SOMEBODY_ELSES = 4321


def fake_program(directory: Path, version: str) -> Path:
    directory.mkdir(mode=0o700)
    for name in ("initdb", "postgres"):
        path = directory / name
        path.write_text(f"#!/bin/sh\necho 'postgres ({version}'\n")
        path.chmod(0o755)
    return directory


async def test_a_missing_program_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(ServerMissingError, match="initdb and postgres") as refused:
        await find_postgres(among=[])

    assert refused.value.code == "postgres_missing"
    assert "./dev setup" in refused.value.next_step


async def test_a_program_behind_closed_directories_is_of_no_use_to_others(tmp_path: Path) -> None:
    directory = fake_program(tmp_path / "bin", "PostgreSQL) 18.1")

    own = await find_postgres(ServerAccount(os.geteuid(), os.getegid()), among=[directory])
    with pytest.raises(ServerMissingError, match="may not enter") as refused:
        await find_postgres(ServerAccount(SOMEBODY_ELSES, SOMEBODY_ELSES), among=[directory])

    assert own == PostgresProgram(directory, "18.1")
    assert refused.value.code == "postgres_unreachable"


@pytest.mark.parametrize(
    ("version", "error", "code"),
    [
        ("PostgreSQL) 14.9", ServerTooOldError, "postgres_too_old"),
        ("SomethingElse) 18.1", ServerMissingError, "postgres_unusable"),
    ],
)
async def test_a_program_that_will_not_do_is_refused(
    tmp_path: Path, version: str, error: type[ServerError], code: str
) -> None:
    directory = fake_program(tmp_path / "bin", version)

    with pytest.raises(error) as refused:
        await find_postgres(among=[directory])

    assert refused.value.code == code
