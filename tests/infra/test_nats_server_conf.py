"""infra/nats/server.conf lets in whom the local stack lets in, to do the same and nothing else."""

import os
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.cli.stack.accounts import CLI, OBSERVER, SCHEDULER, producer
from pointsman.cli.stack.plan import DEFAULT_TENANT, EXECUTOR, POOL
from pointsman.contracts import subjects
from pointsman.runtime.servers import MAX_PAYLOAD_BYTES, NatsUser, find_nats_server
from pointsman.runtime.servers.nats import DEFAULT_MAX_FILE_STORE_BYTES
from tests.infra.conf_server import ConfServer, conf_server, some_passwords
from tests.infra.server_conf import SERVER_CONF, expected_users, users_block, users_of, with_users

CONF = SERVER_CONF.read_text(encoding="utf-8")
WRITE_AGAIN = "run: .venv/bin/python -m tests.infra.server_conf"
PRODUCER = producer(DEFAULT_TENANT)


def check(conf: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Have the server read a file without starting."""
    return subprocess.run(
        [str(find_nats_server()), "-t", "-c", str(conf)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )


def rights(allowed: tuple[str, ...]) -> dict[str, list[str]]:
    return {"allow": list(allowed)} if allowed else {"deny": [">"]}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[ConfServer]:
    async with conf_server(tmp_path) as running:
        yield running


def test_the_file_knows_the_users_of_the_local_stack_and_no_others() -> None:
    names = [user["user"] for user in users_of(CONF)]

    assert names == [user.name for user in expected_users()], WRITE_AGAIN


@pytest.mark.parametrize("user", expected_users(), ids=lambda user: user.name)
def test_each_user_may_do_what_it_may_in_the_local_stack(user: NatsUser) -> None:
    (found,) = [entry for entry in users_of(CONF) if entry["user"] == user.name]

    assert found == {
        "user": user.name,
        "password": user.password,
        "permissions": {
            "publish": rights(user.publish),
            "subscribe": rights(user.subscribe),
            **({"allow_responses": True} if user.allow_responses else {}),
        },
    }, WRITE_AGAIN


def test_writing_the_users_again_changes_nothing() -> None:
    assert with_users(CONF) == CONF, WRITE_AGAIN


def test_a_permission_that_somebody_adds_by_hand_is_found() -> None:
    changed = CONF.replace('"pm.query.scheduler.*"', '"pm.query.scheduler.*", "pm.feed"')

    assert users_of(changed) != users_of(CONF)
    assert with_users(changed) == CONF


def test_a_file_without_a_place_for_the_users_is_refused() -> None:
    with pytest.raises(LookupError, match="0 places"):
        with_users(users_block())


def test_the_server_takes_the_file_as_it_is() -> None:
    checked = check(SERVER_CONF, some_passwords())

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("variable", some_passwords())
def test_the_server_does_not_start_without_one_of_the_passwords(variable: str) -> None:
    others = {name: value for name, value in some_passwords().items() if name != variable}

    checked = check(SERVER_CONF, others)

    assert checked.returncode == 1
    assert f"variable reference for '{variable}'" in checked.stderr


async def test_the_limits_are_those_of_a_local_server(server: ConfServer) -> None:
    _, facts = await server.page("/varz")

    assert facts["max_payload"] == MAX_PAYLOAD_BYTES
    assert facts["jetstream"]["config"]["max_storage"] == DEFAULT_MAX_FILE_STORE_BYTES
    assert facts["jetstream"]["config"]["sync_always"] is True


async def test_the_health_check_of_the_container_finds_the_server_well(server: ConfServer) -> None:
    status, _ = await server.page("/healthz")

    assert status == 200


@pytest.mark.parametrize(
    ("user", "subject", "taken"),
    [
        (SCHEDULER, subjects.FEED, True),
        (SCHEDULER, subjects.inbox(DEFAULT_TENANT), False),
        (EXECUTOR, subjects.command(SCHEDULER, "report", POOL), True),
        (EXECUTOR, subjects.command(SCHEDULER, "submit", POOL), False),
        (CLI, subjects.query(SCHEDULER, "tasks"), True),
        (CLI, subjects.FEED, False),
        (PRODUCER, subjects.inbox(DEFAULT_TENANT), True),
        (PRODUCER, subjects.inbox("another"), False),
        (OBSERVER, "pm.evt.task.completed", False),
    ],
)
async def test_what_is_permitted_is_taken_and_what_is_not_is_refused(
    server: ConfServer, user: str, subject: str, *, taken: bool
) -> None:
    async with server.login(user) as (nc, refusals):
        await nc.publish(subject, b"{}")
        await nc.flush()

    assert (refusals == []) is taken
