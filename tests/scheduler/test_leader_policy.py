"""A leader records what its policy file sets, when that is something else than before."""

from pathlib import Path

import pytest

from pointsman.contracts.events import PolicySet
from pointsman.policy.parameters import DEFAULTS, config_of
from pointsman.scheduler.adapters.policy_file import PolicyFile, PolicyFileError
from pointsman.scheduler.leading.registering import register_policy
from tests.support.leading import Scheduler, World, scheduler

TEXT = "hedge_share = 0.01\n[windows.standard]\ndue_s = 20\nfloor_s = 1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(TEXT)
    return path


async def registered(here: Scheduler, path: Path | None) -> list[PolicySet]:
    """What the log holds after a start with a file."""
    await register_policy(here.pool, here.log, PolicyFile(path), here.clock)
    return [event for event in await here.history() if isinstance(event, PolicySet)]


async def test_a_policy_is_recorded_once_with_all_of_its_figures(file: Path) -> None:
    here = await scheduler(World())

    await registered(here, file)
    (event,) = await registered(here, file)

    assert (event.source, event.holder) == (str(file), "here")
    assert event.figures["hedge_share"] == 0.01
    assert event.figures["windows.standard.due_s"] == 20.0
    assert event.figures.keys() == DEFAULTS.figures().keys()
    assert here.pool.policy.parameters.hedge_share == 0.01


async def test_a_new_log_is_told_the_defaults_once(file: Path) -> None:
    here = await scheduler(World())

    (first,) = await registered(here, None)
    assert (first.source, first.config) == ("", config_of(DEFAULTS))
    assert await registered(here, None) == [first]

    await registered(here, file)
    *_, other, back = await registered(here, None)
    assert (other.source, back.source) == (str(file), "")
    assert here.pool.policy.parameters == DEFAULTS


async def test_a_successor_knows_the_policy_from_the_log(file: Path) -> None:
    world = World()
    await registered(await scheduler(world), file)
    world.clock.passes(60.0)

    successor = await scheduler(world, holder="there")

    assert successor.pool.policy.parameters.hedge_share == 0.01


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hedge_share = 0.5", "policy_value"),
        ("hedge_shares = 0.01", "policy_unknown_key"),
        ("hedge_share", "policy_unreadable"),
    ],
)
def test_a_wrong_file_keeps_a_scheduler_from_starting(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)

    with pytest.raises(PolicyFileError, match=r"policy\.toml") as caught:
        PolicyFile(path)

    assert caught.value.code == code


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="cannot be read") as caught:
        PolicyFile(tmp_path / "policy.toml")

    assert caught.value.code == "policy_unreadable"
