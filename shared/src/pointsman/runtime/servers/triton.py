"""A Triton server of our own on loopback, from the files of a packaged one; for development."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from pointsman.runtime.servers.errors import ServerError, ServerMissingError, ServerStartError
from pointsman.runtime.servers.probe import http_ask
from pointsman.runtime.servers.process import ServerProcess, kill_leftovers
from pointsman.runtime.servers.triton_environment import TritonEnvironment, triton_support
from pointsman.runtime.servers.triton_loading import not_loaded
from pointsman.runtime.servers.triton_ports import TritonPorts

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where the Python backend puts its regions
_PROGRAMS: Final = ("tritonserver", "triton_python_backend_stub")
_POLL_S: Final = 0.02
_PORT_RETRY_S: Final = 0.2
_READY_S: Final = 60.0
_GRACE_S: Final = 10.0
_PORT_TAKEN: Final = "already in use"


class LocalTriton:
    """One Triton server whose files lie in ``work``, serving ``models`` of ``repository``.

    ``models`` are loaded at the start, others by Triton's own model control. ``variables`` join the
    environment of the server and its models. A later start of the
    same object uses the same ports. Stubs and shared-memory regions carry a prefix made of ``work``
    and ``name``: the next start with both, in whichever process, sweeps what a kill left behind.
    """

    def __init__(
        self,
        environment: Path,
        repository: Path,
        work: Path,
        models: Sequence[str],
        name: str = "triton",
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.models = tuple(models)
        self.not_loaded: dict[str, str] = {}
        """Models that the running server could not load, with the reason; it serves the others."""
        self._variables = dict(variables)
        self._environment = environment.absolute()
        self._repository = repository.absolute()
        self._work = work.absolute()
        place = f"{self._work.parent.resolve() / self._work.name}\n{name}".encode()
        self._prefix = f"pointsman_{hashlib.sha256(place).hexdigest()[:16]}_"
        self._identity = f"{self._prefix}{name}"
        self._ports: TritonPorts | None = None
        self._process: ServerProcess | None = None

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self._listening().grpc}"

    @property
    def http_address(self) -> str:
        return f"127.0.0.1:{self._listening().http}"

    @property
    def metrics_address(self) -> str:
        return f"127.0.0.1:{self._listening().metrics}"

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def log(self) -> Path:
        return self._work / f"{self.name}.log"

    async def start(self) -> None:
        """Start the server and return when its models are ready; a running one is left as it is.

        Raises:
            ServerMissingError: ``triton_unsupported``; the message lists all that is missing.
            ServerStartError: ``triton_start_failed``; it ended, or was not ready within 60 s.
                ``models_not_loaded``; it could load none of its models.
        """
        if self.alive:
            return
        support = await asyncio.to_thread(triton_support, self._environment)
        if support.environment is None:
            next_step = "See above for each."
            raise ServerMissingError(
                f"Triton cannot run here.\n{support}\n",
                code="triton_unsupported",
                next_step=next_step,
            )
        await asyncio.to_thread(self.sweep)
        await asyncio.to_thread(self._assemble_backends, support.environment)
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    if await self._attempt(support.environment):
                        return
                    await asyncio.sleep(_PORT_RETRY_S)
        except TimeoutError as error:
            raise await self._failed(f"Triton was not ready within {_READY_S:g} s.") from error
        except asyncio.CancelledError:
            self.kill()
            raise

    async def wait(self) -> int:
        """Wait until the server has ended; gives its exit status."""
        return await self._started().wait()

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        if self._process is not None:
            await self._process.stop(grace_s)
            await asyncio.to_thread(self.sweep)

    def kill(self) -> None:
        """End the server and its stubs as ``kill -9`` does; then ``wait`` and ``sweep``."""
        if self._process is not None:
            self._process.kill()

    def sweep(self) -> None:
        """Kill the stubs and remove the shared memory that a killed server left.

        Raises:
            ServerError: ``triton_running``; sweeping would pull the ground from under it.
        """
        if self.alive:
            raise ServerError(
                f"{self.name} is running.", code="triton_running", next_step="Stop it first."
            )
        kill_leftovers(self._prefix, programs=_PROGRAMS)
        for region in self.regions():
            region.unlink(missing_ok=True)

    def regions(self) -> list[Path]:
        """List the shared-memory regions of this server."""
        return sorted(_SHARED_MEMORY.glob(f"{self._prefix}*"))

    async def version(self) -> str:
        """Ask the running server for its version.

        Raises:
            ServerError: ``triton_unhealthy``; it did not answer.
        """
        version = (await self._metadata(self._listening()))["version"]
        if version is None:
            raise ServerError(
                f"{self.name} does not tell its version.",
                code="triton_unhealthy",
                next_step=f"Read {self.log}.",
            )
        return str(version)

    def _assemble_backends(self, environment: TritonEnvironment) -> None:
        """Put the backend and the stub of the right Python side by side, as Triton expects them."""
        directory = self._backends / "python"
        shutil.rmtree(self._backends, ignore_errors=True)
        directory.mkdir(mode=0o700, parents=True)
        for source in (*environment.backend.iterdir(), environment.stub):
            (directory / source.name).symlink_to(source)

    @property
    def _backends(self) -> Path:
        return self._work / f"{self.name}-backends"

    async def _attempt(self, environment: TritonEnvironment) -> bool:
        """Start once; False = one of its ports is taken."""
        ports = self._ports or TritonPorts.free()
        process = await ServerProcess.spawn(
            self._command(environment, ports),
            log=self.log,
            environment={**_variables(environment), **self._variables},
        )
        self._process = process
        while process.alive:
            if await self._ready(ports):
                self._ports = ports
                await self._look_at_models(ports)
                return True
            await asyncio.sleep(_POLL_S)
        if _PORT_TAKEN in process.log_tail():
            return False
        raise await self._failed("Triton ended during its start.")

    async def _look_at_models(self, ports: TritonPorts) -> None:
        self.not_loaded = await not_loaded(ports.http, self.models)
        if self.models and len(self.not_loaded) == len(self.models):
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.not_loaded.items())
            message = f"Triton could not load any model. {reasons}"
            raise await self._failed(message, code="models_not_loaded")

    async def _ready(self, ports: TritonPorts) -> bool:
        """Tell whether our models are loaded and every face is up; metrics come up last."""
        for port, path in ((ports.http, "/v2/health/ready"), (ports.metrics, "/metrics")):
            answer = await http_ask(port, path)
            if answer is None or answer[0] != HTTPStatus.OK:
                return False
        # On a port that is taken, another server may have answered.
        return (await self._metadata(ports))["name"] == self._identity

    async def _metadata(self, ports: TritonPorts) -> dict[str, object]:
        answer = await http_ask(ports.http, "/v2")
        if answer is None or answer[0] != HTTPStatus.OK:
            return {"name": None, "version": None}
        return cast("dict[str, object]", json.loads(answer[1]))

    def _command(self, environment: TritonEnvironment, ports: TritonPorts) -> list[str]:
        return [
            str(environment.server),
            f"--id={self._identity}",
            f"--model-repository={self._repository}",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self.models),
            f"--backend-directory={self._backends}",
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
            # The configurations are complete; completing them would start each model's stub twice.
            "--disable-auto-complete-config",
            # One model that cannot be loaded is no reason to do without the others.
            "--exit-on-error=false",
            "--strict-readiness=false",
            "--allow-gpu-metrics=false",
            *(f"--{face}-address=127.0.0.1" for face in ("grpc", "http", "metrics")),
            f"--grpc-port={ports.grpc}",
            f"--http-port={ports.http}",
            f"--metrics-port={ports.metrics}",
        ]

    async def _failed(self, message: str, *, code: str = "triton_start_failed") -> ServerStartError:
        process = self._started()
        await process.stop(0)
        next_step = f"Read {self.log}, repair what it names and start again."
        return ServerStartError(
            message, code=code, next_step=next_step, log_tail=process.log_tail(40)
        )

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise ServerError(
                f"{self.name} was not started.",
                code="triton_not_started",
                next_step="Await start() first.",
            )
        return self._process

    def _listening(self) -> TritonPorts:
        if self._ports is None:
            raise ServerError(
                f"{self.name} was not started.",
                code="triton_not_started",
                next_step="Await start() first.",
            )
        return self._ports


def _variables(environment: TritonEnvironment) -> dict[str, str]:
    # The stub takes its prefix from the first python3 on PATH. With another build there it ends
    # with a misleading numpy error, or answers OK with empty bytes; model files put
    # POINTSMAN_TRITON_SITE first on their own path for the same reason.
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PATH": f"{environment.bin}:{os.environ.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": environment.library_path,
        "POINTSMAN_TRITON_SITE": str(environment.site),
        # A model process works on one request at a time; more threads each would only take the
        # cores from the others.
        "OPENBLAS_NUM_THREADS": "1",
    }
