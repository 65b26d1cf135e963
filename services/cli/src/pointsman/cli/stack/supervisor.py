"""Starts the parts of a stack in order, keeps them running, ends them in reverse order."""

import asyncio
import os
import platform
import signal
import time
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, Final

from pointsman.cli.hints import at_data
from pointsman.cli.stack.accounts import CLI, nats_users, new_accounts
from pointsman.cli.stack.child import PythonChild
from pointsman.cli.stack.children import (
    executor_environment,
    service_environment,
    services_environment,
)
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.keeper import Keeper, Part
from pointsman.cli.stack.leftovers import kill_leftover_children
from pointsman.cli.stack.log_place import OWN_POSTGRESQL, SQLITE, LogPlace
from pointsman.cli.stack.plan import GUESTS, NOOP, POOL, POSTGRES, SERVICES, StackPlan
from pointsman.cli.stack.readiness import wait_ready
from pointsman.cli.stack.record import (
    DeviceRecord,
    PartRecord,
    StackRecord,
    remove_record,
    write_record,
)
from pointsman.contracts.device_mode import DeviceMode
from pointsman.runtime.servers import LocalNats, LocalPostgres, LocalTriton

NATS: Final = "nats"

# Above the services' own grace periods, so that they end by themselves.
_SERVICE_GRACE_S: Final = 25.0
_NATS_GRACE_S: Final = 5.0
# It writes everything before it ends, so that the next start has nothing to recover.
_POSTGRES_GRACE_S: Final = 20.0
# Nothing of it is durable, and unloading every model politely takes seconds.
_TRITON_GRACE_S: Final = 0.0

Say = Callable[[str], None]


class Supervisor:
    """One stack: `start` it, watch `failure`, `stop` it, all on the main thread's event loop.

    Raises `CommandError` when the directory is in use or was written by a newer release.
    """

    def __init__(self, plan: StackPlan, say: Say) -> None:
        self._plan = plan
        self._say = say
        executors = {**plan.executors, **dict.fromkeys(GUESTS, POOL)}
        self._accounts = new_accounts(list(executors), plan.tenants)
        users = nats_users(self._accounts, pool=POOL, executors=executors, tenants=plan.tenants)
        # For the children too: the log and the blobs are for their owner alone.
        os.umask(0o077)
        self._directory = DataDirectory(plan.data, _log_place(plan))
        self._nats = LocalNats(self._directory.nats, users)
        self._postgres: LocalPostgres | None = None
        self._devices: tuple[DeviceRecord, ...] = ()
        self._keepers: dict[str, Keeper] = {}
        self._grace_s: dict[str, float] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._started_at = time.time()
        self._ready = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the error of a part that cannot be kept running."""

    @property
    def record(self) -> StackRecord:
        """The stack as it stands now."""
        return StackRecord(
            pointsman=version("pointsman"),
            python=platform.python_version(),
            pid=os.getpid(),
            data=self._directory.path,
            pool=POOL,
            further_pools=self._plan.pool_names[1:],
            started_at=self._started_at,
            ready=self._ready,
            nats_url=self._nats.url,
            nats_version=self._nats.version,
            database_url=self._postgres.dsn if self._postgres else "",
            accounts=self._accounts,
            devices=self._devices,
            parts={
                name: PartRecord(keeper.part.pid, keeper.starts, str(keeper.part.log))
                for name, keeper in self._keepers.items()
                if keeper.starts
            },
        )

    async def start(self) -> None:
        """Return when the stack takes work; raises what keeps a part from starting."""
        for pid in await asyncio.to_thread(kill_leftover_children, self._directory.path):
            self._say(f"ended process {pid}, left by an earlier stack on this directory")
        database_url = await self._start_database() if self._plan.processes else ""
        await self._keep(NATS, self._nats, _NATS_GRACE_S)
        self._directory.show_log(NATS, self._nats.log)
        self._say(f"nats-server {self._nats.version} ready at {self._nats.url}")
        self._devices = await self._start_devices()
        for name, service in self._services(database_url).items():
            await self._keep(name, service, _SERVICE_GRACE_S)
        for name in self._plan.executors:
            await self._keep(name, self._executor(name), _SERVICE_GRACE_S)
        await self._unless_failed(
            wait_ready(
                self._nats.url,
                self._accounts[CLI],
                self._devices,
                lambda words: self._say(at_data(words, self._plan.data)),
            )
        )
        self._ready = True
        self._write()

    def kill(self, part: str) -> int:
        """End a part as `kill -9` does; gives the id of the process."""
        pid = self._keepers[part].part.pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_all(self) -> None:
        """Give up every grace period; `stop` still has to be awaited."""
        for keeper in self._keepers.values():
            keeper.part.kill()

    async def stop(self) -> None:
        """End everything in reverse order of its start and let the directory go."""
        for keeping in self._keeping:
            keeping.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for name, keeper in reversed(self._keepers.items()):
            await keeper.part.stop(self._grace_s[name])
        remove_record(self._directory.path)
        self._directory.release()
        if not self.failure.cancel():
            # Seen by whoever watched it; asyncio complains about errors that nobody fetched.
            self.failure.exception()

    async def _start_database(self) -> str:
        """Where the log is; raises what `check_database` and `LocalPostgres` do."""
        given = self._plan.postgres
        if given is not None:
            from pointsman.cli.stack.database import (  # noqa: PLC0415 - see below
                check_database,
                require_free,
            )

            found = await check_database(given)
            await require_free(given)
            self._directory.remember_log()
            self._say(f"PostgreSQL {found} ready: {_log_place(self._plan).server}")
            return given
        postgres = LocalPostgres(self._directory.postgres)
        postgres.log.parent.mkdir(mode=0o700, exist_ok=True)
        self._directory.show_log(POSTGRES, postgres.log)
        await self._keep(POSTGRES, postgres, _POSTGRES_GRACE_S)
        self._postgres = postgres
        self._directory.remember_log()
        self._say(f"PostgreSQL {postgres.version} ready at 127.0.0.1:{postgres.port}")
        return postgres.dsn

    def _services(self, database_url: str) -> dict[str, PythonChild]:
        """By the names of their parts, in order of their start."""
        told = (self._plan, self._directory, self._accounts, self._nats.url, self._devices)
        if not self._plan.processes:
            environment = services_environment(*told)
            log = self._directory.log(SERVICES)
            return {SERVICES: PythonChild("pointsman.cli.together", environment, log)}
        return {
            part: PythonChild(
                f"pointsman.{service}",
                service_environment(*told, part=part, database_url=database_url),
                self._directory.log(part),
            )
            for part, service in self._plan.service_parts.items()
        }

    def _executor(self, name: str) -> PythonChild:
        return PythonChild(
            "pointsman.executor",
            executor_environment(
                self._plan,
                self._directory,
                self._accounts[name],
                self._nats.url,
                self._devices,
            ),
            self._directory.log(name),
        )

    async def _start_devices(self) -> tuple[DeviceRecord, ...]:
        names, kind = self._plan.device_names, self._plan.kind
        if kind == "noop":
            self._say("no Triton: the executor's stand-in answers, no model is run")
            if self._plan.terms.mode is not DeviceMode.FIXED:
                self._say("its loads load nothing: they wait the load times of the registry")
            pool_of = self._plan.pool_of_device
            return tuple(DeviceRecord(name, NOOP, kind, pool=pool_of(name)) for name in names)
        if kind == "attached":
            endpoints = zip(names, self._plan.attach, strict=True)
            return tuple(DeviceRecord(name, endpoint, kind) for name, endpoint in endpoints)
        started = (self._start_triton(index, name) for index, name in enumerate(names))
        return tuple(await asyncio.gather(*started))

    async def _start_triton(self, index: int, device: str) -> DeviceRecord:
        name = f"triton-{index}"
        project = self._plan.project
        triton = LocalTriton(
            project.triton_environment,
            project.models,
            self._directory.triton,
            self._plan.models_at_start,
            name,
        )
        triton.log.parent.mkdir(mode=0o700, exist_ok=True)
        self._directory.show_log(name, triton.log)
        await self._keep(name, triton, _TRITON_GRACE_S)
        triton_version = await triton.version()
        self._say(f"{name} ready: Triton {triton_version} at grpc://{triton.grpc_address}")
        for model, reason in triton.not_loaded.items():
            self._say(f"{name} could not load {model}, the others are served: {reason}")
            self._say(f"  repair {project.models / model} and start again; {triton.log} has more")
        return DeviceRecord(
            device,
            f"grpc://{triton.grpc_address}",
            "triton",
            triton_version,
            f"http://{triton.metrics_address}/metrics",
            self._plan.pool_of_device(device),
        )

    async def _keep(self, name: str, part: Part, grace_s: float) -> None:
        keeper = Keeper(name, part, say=self._say, on_start=self._write, clock=time.monotonic)
        self._keepers[name] = keeper
        self._grace_s[name] = grace_s
        await self._unless_failed(keeper.start())
        keeping: asyncio.Task[None] = asyncio.get_running_loop().create_task(keeper.keep())
        keeping.add_done_callback(self._on_kept)
        self._keeping.append(keeping)

    def _on_kept(self, keeping: asyncio.Task[None]) -> None:
        if not keeping.cancelled() and (error := keeping.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)

    async def _unless_failed(self, work: Coroutine[Any, Any, None]) -> None:
        """Await `work`, but end with the error of a part that fails meanwhile."""
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait({working, self.failure}, return_when=asyncio.FIRST_COMPLETED)
            if self.failure.done():
                self.failure.result()
            await working
        finally:
            working.cancel()
            # What it had begun to start is either kept or gone before anything is stopped.
            await asyncio.gather(working, return_exceptions=True)

    def _write(self) -> None:
        write_record(self.record)


def _log_place(plan: StackPlan) -> LogPlace:
    if not plan.processes:
        return SQLITE
    if plan.postgres is None:
        return OWN_POSTGRESQL
    # It brings the driver, 6 MB that a stack needs in no other case.
    from pointsman.cli.stack.database import given_postgresql  # noqa: PLC0415 - see above

    return given_postgresql(plan.postgres)
