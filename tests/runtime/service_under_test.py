"""A service in a process of its own, for `test_service.py`: `service_under_test.py <case>`."""

import asyncio
import sys

from pointsman.runtime.errors import FatalError
from pointsman.runtime.service import ServiceScope, run_service
from pointsman.runtime.settings import ServiceSettings
from pointsman.testing.waiting import wait_until


class DiskFullError(FatalError):
    code = "disk_full"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_up(scope: ServiceScope) -> None:
    """Say so once the service counts as started, which is after its start function."""

    async def wait() -> None:
        await wait_until(lambda: scope.health.ready)
        say("up")

    scope.spawn(wait(), "say up")


async def orderly(scope: ServiceScope) -> None:
    async def connection_closed() -> None:
        say("connection closed")

    async def puller_stopped() -> None:
        say("puller stopped")

    stopped = asyncio.Event()

    async def loop() -> None:
        await stopped.wait()
        say("work finished")

    async def stop_loop() -> None:
        await puller_stopped()
        stopped.set()

    scope.on_stop(connection_closed)
    scope.spawn(loop(), "loop", finish=True)
    scope.on_stop(stop_loop)
    say_up(scope)


async def crashing(scope: ServiceScope) -> None:
    async def crash() -> None:
        raise KeyError("a defect")

    async def ended() -> None:
        say("connection closed")

    scope.on_stop(ended)
    scope.spawn(crash(), "projection")
    say("up")


async def failing(_scope: ServiceScope) -> None:
    raise DiskFullError("The disk is full.", next_step="Free some space.")


async def told(scope: ServiceScope) -> None:
    say("up")
    scope.fatal(DiskFullError("The disk is full.", next_step="Free some space."))


async def hanging(scope: ServiceScope) -> None:
    async def hang() -> None:
        say("hanging")
        await asyncio.Event().wait()

    async def ended() -> None:
        say("connection closed")

    scope.on_stop(ended)
    scope.on_stop(hang)
    say_up(scope)


async def starting(_scope: ServiceScope) -> None:
    say("up")
    await asyncio.Event().wait()


CASES = {case.__name__: case for case in (orderly, crashing, failing, told, hanging, starting)}

if __name__ == "__main__":
    grace_s = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    sys.exit(run_service("tested", CASES[sys.argv[1]], ServiceSettings(), grace_s=grace_s))
