"""A model that cannot be loaded is named, and the stack serves the others."""

import shutil
from pathlib import Path

import pytest

from pointsman.cli.client import StackClient
from pointsman.cli.stack.accounts import CLI, SCHEDULER
from pointsman.cli.stack.plan import StackPlan
from pointsman.cli.stack.project import Project
from pointsman.cli.stack.running import running_stack
from pointsman.contracts.queries import AskPool, DeviceRow
from pointsman.testing.servers import PROJECT, TRITON_ENVIRONMENT
from tests.e2e.live_stack import logged_in


def project_with_a_broken_model(root: Path) -> Project:
    """The `identity` of this checkout and a copy of it that finds no weights."""
    project = Project(root)
    triton = PROJECT / "infra" / "triton"
    shutil.copytree(triton, root / "infra" / "triton", ignore=shutil.ignore_patterns("models"))
    for name in ("identity", "broken"):
        shutil.copytree(triton / "models" / "identity", project.models / name)
    config = project.models / "broken" / "config.pbtxt"
    config.write_text(config.read_text().replace('"identity"', '"broken"'))
    (project.models / "broken" / "1" / "model.py").write_text("raise RuntimeError('no weights')\n")
    (root / "infra" / "routing").symlink_to(PROJECT / "infra" / "routing")
    project.triton_environment.symlink_to(TRITON_ENVIRONMENT)
    return project


@pytest.mark.triton
@pytest.mark.usefixtures("triton_supported")
async def test_a_model_that_cannot_be_loaded_is_named_and_the_others_are_served(
    tmp_path: Path,
) -> None:
    project = project_with_a_broken_model(tmp_path / "checkout")
    plan = StackPlan(tmp_path / "data", project, services=(SCHEDULER,))
    said: list[str] = []

    async with (
        running_stack(plan, said.append) as supervisor,
        logged_in(supervisor.record, CLI) as nc,
    ):
        devices = await StackClient(nc, supervisor.record).ask(
            "devices", AskPool(), list[DeviceRow]
        )

    (named,) = [line for line in said if "could not load broken" in line]
    assert "RuntimeError: no weights" in named
    assert any(str(project.models / "broken") in line for line in said)
    assert [row.variants for row in devices] == [("identity",)]
