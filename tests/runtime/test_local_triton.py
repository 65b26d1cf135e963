"""The local Triton: what it needs, what it leaves behind, and how it comes back."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest

from pointsman.runtime.servers import (
    LocalTriton,
    ServerError,
    ServerMissingError,
    ServerStartError,
    triton_support,
)
from pointsman.testing.servers import SAMPLE_MODELS, TRITON_ENVIRONMENT, triton, triton_here
from pointsman.testing.waiting import wait_until

USABLE: dict[str, object] = {
    "python": "3.11",
    "site": "/nowhere",
    "libpython": "libpython3.11.so.1.0",
    "libpython_directories": ["/nowhere/lib"],
    "numpy": "1.26.4",
    "nvidia_pytriton": "0.7.0",
}


@pytest.fixture
def needs_triton() -> None:
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))


def fake_environment(directory: Path, facts: dict[str, object]) -> Path:
    """A virtual environment whose interpreter says ``facts`` about itself."""
    (directory / "bin").mkdir(parents=True)
    interpreter = directory / "bin" / "python"
    interpreter.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(facts)}\nEND\n")
    interpreter.chmod(0o755)
    return directory


def stubs_of(server: LocalTriton) -> list[psutil.Process]:
    return psutil.Process(server.pid).children(recursive=True)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.triton
@pytest.mark.usefixtures("needs_triton")
class TestLocalTriton:
    async def test_it_tells_its_version_and_listens_on_loopback_alone(self, tmp_path: Path) -> None:
        async with triton(tmp_path) as server:
            version = await server.version()
            listening = {
                str(connection.laddr.ip).removeprefix("::ffff:")
                for connection in psutil.Process(server.pid).net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN
            }

        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert listening == {"127.0.0.1"}

    async def test_a_killed_server_comes_back_on_the_same_addresses(self, tmp_path: Path) -> None:
        async with triton(tmp_path) as server:
            before = (server.grpc_address, server.http_address, server.metrics_address)
            first_pid = server.pid

            server.kill()
            await server.wait()
            await server.start()

            assert server.pid != first_pid
            assert (server.grpc_address, server.http_address, server.metrics_address) == before

    async def test_what_a_killed_server_leaves_is_swept(self, tmp_path: Path) -> None:
        async with triton(tmp_path) as server:
            stubs = stubs_of(server)
            os.kill(server.pid, signal.SIGKILL)
            await server.wait()
            left_behind = server.regions()

            server.sweep()

            assert len(stubs) == len(left_behind) == 2
            assert server.regions() == []
            assert all(is_gone(stub) for stub in stubs)

    async def test_the_next_start_sweeps_what_a_killed_program_left(self, tmp_path: Path) -> None:
        work = tmp_path / "triton"
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, str(work), stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        left_over = psutil.Process(int(await parent.stdout.readline()))
        stubs = left_over.children(recursive=True)

        parent.kill()
        await parent.wait()
        await wait_until(lambda: is_gone(left_over), message="the server dies with its parent")
        async with triton(tmp_path) as server:
            regions = len(server.regions())

        assert len(stubs) == regions == 2
        assert all(is_gone(stub) for stub in stubs)
        assert server.regions() == []

    async def test_a_running_server_is_not_swept(self, tmp_path: Path) -> None:
        async with triton(tmp_path) as server:
            with pytest.raises(ServerError) as refused:
                server.sweep()

            assert refused.value.code == "triton_running"
            assert server.regions() != []

    async def test_it_waits_for_its_port_to_become_free_again(self, tmp_path: Path) -> None:
        async with triton(tmp_path) as server:
            address = server.http_address
            server.kill()
            await server.wait()
            host, port = address.split(":")
            lines_before = server.log.read_text().count("already in use")
            with socket.create_server((host, int(port))):
                start = asyncio.create_task(server.start())
                await wait_until(
                    lambda: server.log.read_text().count("already in use") > lines_before,
                    message="the taken port is noticed",
                )
            await start

            assert server.alive
            assert server.http_address == address

    async def test_a_server_without_any_model_does_not_start_and_names_them(
        self, tmp_path: Path
    ) -> None:
        server = LocalTriton(TRITON_ENVIRONMENT, SAMPLE_MODELS, tmp_path, ["no_such_model"])

        with pytest.raises(ServerStartError, match="no_such_model") as failed:
            await server.start()

        assert failed.value.code == "models_not_loaded"
        assert str(server.log) in failed.value.next_step
        assert failed.value.log_tail
        assert not server.alive

    async def test_a_model_that_cannot_be_loaded_is_named_and_the_others_are_served(
        self, tmp_path: Path
    ) -> None:
        repository = tmp_path / "models"
        for name in ("identity", "broken"):
            shutil.copytree(SAMPLE_MODELS / "identity", repository / name)
        config = repository / "broken" / "config.pbtxt"
        config.write_text(config.read_text().replace('"identity"', '"broken"'))
        model = repository / "broken" / "1" / "model.py"
        model.write_text(f"raise RuntimeError('no weights')\n{model.read_text()}")
        shutil.copytree(SAMPLE_MODELS.parent / "pointsman_samples", tmp_path / "pointsman_samples")

        models = ("identity", "broken", "absent")
        async with triton(tmp_path, models, repository=repository) as server:
            not_loaded = server.not_loaded

            assert server.alive

        assert not_loaded.keys() == {"broken", "absent"}
        assert "RuntimeError: no weights" in not_loaded["broken"]
        assert "no such model" in not_loaded["absent"]


PROGRAM = f"""
import asyncio, sys
from pathlib import Path
from pointsman.runtime.servers import LocalTriton
async def main():
    work = Path(sys.argv[1])
    environment, repository = Path({str(TRITON_ENVIRONMENT)!r}), Path({str(SAMPLE_MODELS)!r})
    server = LocalTriton(environment, repository, work, ["identity"])
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_an_environment_that_was_not_made_is_explained(tmp_path: Path) -> None:
    support = triton_support(tmp_path / "nothing")

    assert not support.ok
    assert "There is no Triton environment" in str(support)
    assert "./dev setup" in str(support)


@pytest.mark.parametrize(
    ("difference", "explained"),
    [
        ({"libpython_directories": []}, "no shared libpython3.11"),
        ({"python": "3.13"}, "no stub for Python 3.13"),
        ({"nvidia_pytriton": None}, "nvidia-pytriton is not installed"),
        ({"numpy": "2.1.0"}, "needs numpy < 2"),
        ({"numpy": None}, "needs numpy < 2"),
        ({}, "/nowhere/pytriton/tritonserver/bin/tritonserver is missing"),
    ],
)
def test_what_an_environment_lacks_is_explained(
    tmp_path: Path, difference: dict[str, object], explained: str
) -> None:
    support = triton_support(fake_environment(tmp_path / "venv", {**USABLE, **difference}))

    assert not support.ok
    assert explained in str(support)


def test_another_python_without_libpython_is_told_how_to_get_one_or_do_without(
    tmp_path: Path,
) -> None:
    facts: dict[str, object] = {**USABLE, "libpython_directories": []}

    support = triton_support(fake_environment(tmp_path / "venv", facts))

    assert "shared libpython" in str(support)
    assert "--triton grpc://host:port" in str(support)


def test_an_interpreter_that_does_not_run_is_explained(tmp_path: Path) -> None:
    environment = fake_environment(tmp_path / "venv", {})
    (environment / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")

    assert "cannot be run" in str(triton_support(environment))


async def test_a_start_without_what_it_needs_says_what_is_missing(tmp_path: Path) -> None:
    server = LocalTriton(tmp_path / "nothing", SAMPLE_MODELS, tmp_path, ["identity"])

    with pytest.raises(ServerMissingError, match="There is no Triton environment") as refused:
        await server.start()

    assert refused.value.code == "triton_unsupported"
