"""Composition root of the executor: `python -m pointsman.executor`."""

import asyncio
import sys
from functools import partial
from typing import Final
from uuid import uuid4

from pointsman.contracts.events import DeviceMode
from pointsman.executor.adapters.model_catalogue import ModelCatalogue
from pointsman.executor.adapters.nats import NatsLeader
from pointsman.executor.adapters.nats_streams import NatsStreams
from pointsman.executor.adapters.noop import NoopEngine
from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.handlers import build_router
from pointsman.executor.holding.canaries import Canaries
from pointsman.executor.holding.devices import Device, DeviceTerms
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.holding.membership import Membership
from pointsman.executor.holding.runs import REPORT_GRACE_S
from pointsman.executor.ports import NOOP, Engine, Identity, Leader
from pointsman.executor.settings import DeviceAddress, Settings
from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.broker import build_broker, probe
from pointsman.runtime.service import ServiceScope, run_service
from pointsman.runtime.settings import NatsSettings, ServiceSettings

_SERVICE: Final = "executor"


async def start(scope: ServiceScope, settings: Settings, nats: NatsSettings) -> None:
    """Open the engines, attach to the pool, take orders; what has to end is left with `scope`."""
    identity = Identity(settings.name, settings.pool, str(uuid4()))
    membership: Membership | None = None

    def on_state(connected: bool, detail: str) -> None:  # noqa: FBT001 - OnState's shape
        scope.health.set("bus", ok=connected, detail=detail)
        if connected and membership is not None:
            membership.reconnected()

    broker = build_broker(nats, name=settings.name, on_fatal=scope.fatal, on_state=on_state)
    scope.on_stop(broker.stop, "bus")
    connection = await broker.connect()
    await probe(connection, user=nats.user)
    leader = NatsLeader(connection, identity)
    scope.on_stop(leader.stop, "requests to the leader")
    streams = NatsStreams(connection)
    await streams.start()
    blobs = SqliteBlobs(settings.blobs, settings.name)
    scope.on_stop(blobs.close, "blobs")
    devices = [_device(address, settings, identity, leader) for address in settings.devices]
    for device in devices:
        scope.on_stop(device.close, device.name)
    holder = LeaseHolder(identity, devices, blobs=blobs, leader=leader, streams=streams)
    await asyncio.gather(*(device.open() for device in devices))
    membership = Membership(identity, devices, leader=leader, holder=holder)
    broker.include_router(build_router(identity, holder, Canaries(devices)))
    await broker.start()
    # The subscription must have reached the server before the leader hears of this executor.
    await connection.flush()
    await membership.join()
    scope.spawn(membership.rejoin(), "rejoin")
    for device in devices:
        scope.spawn(device.watch(), f"watch {device.name}")
    scope.spawn(membership.renew(), "renewals")

    async def end() -> None:
        await asyncio.gather(
            holder.drain(settings.grace_s),
            holder.changes.drain(settings.grace_s),
            *(device.say_goodbye() for device in devices),
        )

    scope.on_stop(end, "running calls")


def _device(
    address: DeviceAddress, settings: Settings, identity: Identity, leader: Leader
) -> Device:
    return Device(
        address.device,
        endpoint=address.endpoint,
        terms=DeviceTerms(
            slots=settings.slots,
            max_batch=settings.max_batch,
            mode=settings.mode,
            memory_mib=settings.memory_mib,
            gpu=address.gpu,
        ),
        engine=_engine(address.endpoint, settings),
        leader=leader,
        identity=identity,
    )


def _engine(endpoint: str, settings: Settings) -> Engine:
    loading = settings.mode is not DeviceMode.FIXED
    if endpoint == NOOP:
        return NoopEngine(
            settings.noop_variants,
            settings.slots,
            loading=loading,
            declared_load_s=settings.noop_load_s,
        )
    if not loading:
        return TritonEngine(endpoint)
    return TritonEngine(endpoint, catalogue=ModelCatalogue(settings.repository, settings.loadable))


def main() -> int:
    """Read the settings and run until told to stop; gives the exit status."""
    service = ServiceSettings()
    settings = Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return run_service(
        _SERVICE,
        partial(start, settings=settings, nats=service.nats),
        service,
        grace_s=settings.grace_s + 2 * REPORT_GRACE_S,
    )


if __name__ == "__main__":
    sys.exit(main())
