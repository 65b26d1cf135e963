"""GPUs of this machine through NVML, asked in a process of its own, which a driver may hang."""

import asyncio
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from pointsman.resource_monitor import telemetry
from pointsman.resource_monitor.adapters.nvml_reader import NvmlAnswer
from pointsman.resource_monitor.domain.measuring import NOTHING, Figures, GpuCensus, GpuReading
from pointsman.resource_monitor.domain.plausible import plausible

READER: Final = "pointsman.resource_monitor.adapters.nvml_reader"
HANG_S: Final = 2.0
"""A question that is not answered by then never will be: its process is killed."""
HANGS: Final = 3
"""In a row, after which the GPUs of a driver that hangs are taken as lost."""

_WAIT_S: Final = 0.8
_SILENT: Final = "the driver does not answer"

_decoder: Final = msgspec.json.Decoder(NvmlAnswer)
_log = structlog.get_logger(__name__)


class _ReadingProcess:
    """One process that reads; it answers one question at a time."""

    def __init__(self, environment: Mapping[str, str] | None) -> None:
        self._environment = environment
        self._process: Process | None = None
        self._killed = False
        self.asked_at: float | None = None
        """On the monotonic clock, while a question is open."""

    async def ask(self) -> NvmlAnswer:
        """Raises `OSError` or `MsgspecError` when the process ends instead of answering."""
        process = self._process or await self._start()
        into, out = _pipes(process)
        self.asked_at = time.monotonic()
        into.write(b"\n")
        line = await out.readline()
        self.asked_at = None
        return _decoder.decode(line)

    def kill(self) -> None:
        """It answers nothing more; one that the driver holds ends when the driver lets it go."""
        self._killed = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def ended(self) -> None:
        """Return when a killed process is gone."""
        if self._process is not None:
            _pipes(self._process)[0].close()
            await self._process.wait()

    async def _start(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", READER,
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=self._environment,
        )  # fmt: skip
        if self._killed:
            self.kill()
        # Its start takes a second on a busy machine, which is not the driver's fault.
        await _pipes(self._process)[1].readline()
        return self._process


def _pipes(process: Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    into, out = process.stdin, process.stdout
    if into is None or out is None:
        raise BrokenPipeError("the process has no pipes")
    return into, out


class NvmlGpus:
    """Implements `ports.Gpus`; `environment` is the reading process's, None: this one's."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, hang_s: float = HANG_S
    ) -> None:
        self._environment = environment
        self._hang_s = hang_s
        self._process = _ReadingProcess(environment)
        self._asking: asyncio.Task[NvmlAnswer] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._hangs = 0
        # In the order in which they were first seen, which is that of their indices.
        self._known: dict[str, None] = {}

    async def read(self) -> GpuCensus:
        """Wait at most a moment; what hangs is asked again in a new process."""
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._process.ask())
        done, _ = await asyncio.wait({self._asking}, timeout=min(_WAIT_S, self._hang_s))
        if not done:
            return self._silence()
        asking, self._asking = self._asking, None
        try:
            answer = asking.result()
        except (OSError, msgspec.MsgspecError) as error:
            self._replace()
            return self._census({}, f"the process that reads the driver ended ({error})")
        self._hangs = 0
        return self._census(answer.gpus, answer.absent)

    async def close(self) -> None:
        """End the process; returns soon, also while a driver holds it."""
        self._replace()
        await asyncio.wait(self._ending, timeout=_WAIT_S)

    def _silence(self) -> GpuCensus:
        asked_at = self._process.asked_at
        if asked_at is not None and time.monotonic() - asked_at >= self._hang_s:
            self._hangs += 1
            telemetry.DRIVER_HANGS.add(1)
            _log.warning("driver_hangs", in_a_row=self._hangs)
            self._replace()
        if self._hangs >= HANGS or not self._known:
            return self._census({}, _SILENT)
        return GpuCensus(tuple(GpuReading(uuid, NOTHING) for uuid in self._known))

    def _replace(self) -> None:
        process, asking = self._process, self._asking
        process.kill()
        ending = asyncio.get_running_loop().create_task(_bury(process, asking))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._process, self._asking = _ReadingProcess(self._environment), None

    def _census(self, found: Mapping[str, Figures], absent: str) -> GpuCensus:
        self._known.update(dict.fromkeys(found))
        if not self._known:
            return GpuCensus(absent=absent)
        return GpuCensus(tuple(self._reading(uuid, found.get(uuid)) for uuid in self._known))

    def _reading(self, uuid: str, figures: Figures | None) -> GpuReading:
        if figures is None:
            return GpuReading(uuid, None)
        kept, dropped = plausible(figures)
        for name in dropped:
            telemetry.FIGURES_DROPPED.add(1, {"hw.id": uuid, "pointsman.figure": name})
        return GpuReading(uuid, kept)


async def _bury(process: _ReadingProcess, asking: asyncio.Task[NvmlAnswer] | None) -> None:
    if asking is not None:
        await asyncio.gather(asking, return_exceptions=True)
    await process.ended()
