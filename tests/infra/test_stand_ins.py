"""Stand-ins with declared times: what a repository of them holds, and what the models do."""

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from pointsman.cli.stack.project import Project
from pointsman.scheduler.adapters.registry_file import RegistryFile
from pointsman.testing.inference import inference_client
from pointsman.testing.servers import triton, triton_here
from pointsman.testing.timed_repository import (
    FAMILY,
    TimedModel,
    numbered_models,
    write_timed_models,
    write_timed_project,
)

DELAY_S = 0.3


def test_many_models_are_numbered_and_share_their_declared_times() -> None:
    models = numbered_models(87, load_s=1.5)

    assert [models[0].name, models[-1].name] == ["m00", "m86"]
    assert {(model.load_s, model.family) for model in models} == {(1.5, FAMILY)}


def test_models_of_one_family_each_are_named_alike() -> None:
    models = numbered_models(2, family_each=True)

    assert [(model.name, model.family) for model in models] == [("m00", "m00"), ("m01", "m01")]


def test_a_project_of_stand_ins_is_one_that_a_stack_can_be_started_from(tmp_path: Path) -> None:
    write_timed_project(tmp_path, numbered_models(3, load_s=0.25, service_s=0.5))
    project = Project(tmp_path)

    registered = RegistryFile(project.registry).models(at=0.0, applied_to=0)

    assert project.model_names() == ("identity", "m00", "m01", "m02")
    assert project.load_times() == {"m00": 0.25, "m01": 0.25, "m02": 0.25}
    assert {(model.family, model.service_s) for model in registered} == {(FAMILY, 0.5)}
    assert project.routing.is_file()
    assert "stand-in" in project.registry.read_text().lower()


@pytest.mark.triton
async def test_a_stand_in_waits_the_times_that_are_declared_and_gives_the_payload_back(
    tmp_path: Path,
) -> None:
    support = triton_here()
    if support.environment is None:
        pytest.skip(str(support))
    repository = tmp_path / "models"
    write_timed_models(repository, [TimedModel("timed", DELAY_S, 0.1)])
    clock = asyncio.get_running_loop().time
    async with (
        triton(tmp_path, repository=repository) as server,
        inference_client(server.grpc_address) as client,
    ):
        began = clock()
        await client.load("timed")
        loaded = clock()
        answers = [
            await client.infer("timed", b"\x00payload", parameters=parameters)
            for parameters in ({}, {"run_s": "0.2"}, {"run_s": 0})
        ]
        answered = clock()
        with pytest.raises(grpc.aio.AioRpcError, match="run_s must be seconds") as refused:
            await client.infer("timed", b"", parameters={"run_s": "soon"})

    assert loaded - began >= DELAY_S
    assert answered - loaded >= 0.2
    assert answers == [b"\x00payload"] * 3
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.triton
async def test_a_sample_model_takes_the_load_delay_of_its_servers_environment(
    tmp_path: Path,
) -> None:
    support = triton_here()
    if support.environment is None:
        pytest.skip(str(support))
    variables = {"POINTSMAN_ADDED_LOAD_DELAY_S": str(DELAY_S)}
    clock = asyncio.get_running_loop().time
    async with (
        triton(tmp_path, (), variables=variables) as server,
        inference_client(server.grpc_address) as client,
    ):
        began = clock()
        await client.load("summarize_lead")

        assert clock() - began >= DELAY_S
