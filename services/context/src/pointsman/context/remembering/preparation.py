"""The answer that every waiting task gets in time: context, an earlier result, or a reason."""

import asyncio
from typing import Final

import structlog

from pointsman.context import telemetry
from pointsman.context.domain.tasks import PREPARATION_S, TaskFacts
from pointsman.context.ports import Scheduler, SchedulerSilentError
from pointsman.context.remembering.contexts import Contexts
from pointsman.context.remembering.response_cache import ResponseCache
from pointsman.contracts.commands import PrepareTask
from pointsman.runtime.clock import Clock

# The rest of `PREPARATION_S` is for the way to the scheduler.
_ASSEMBLY_S: Final = 0.75 * PREPARATION_S

_log = structlog.get_logger(__name__)


class Preparation:
    """Prepares one task; whatever goes wrong, the task goes on with its input alone."""

    def __init__(
        self, contexts: Contexts, responses: ResponseCache, scheduler: Scheduler, clock: Clock
    ) -> None:
        self._contexts = contexts
        self._responses = responses
        self._scheduler = scheduler
        self._clock = clock

    async def prepare(self, facts: TaskFacts) -> None:
        """Tell the scheduler what the task runs on; nothing, if it waits no more."""
        waited_s = self._clock.wall() - facts.accepted_at
        if waited_s >= PREPARATION_S:
            return
        command = await self._command(facts, max(0.0, _ASSEMBLY_S - waited_s))
        try:
            await self._scheduler.prepare(facts.pool, command)
        except SchedulerSilentError as error:
            _log.warning("preparation_not_delivered", task=str(facts.task), reason=str(error))
            return
        telemetry.ASSEMBLIES.add(1, {"outcome": _outcome(command)})
        telemetry.PREPARATION.record(max(0.0, self._clock.wall() - facts.accepted_at))

    async def _command(self, facts: TaskFacts, patience_s: float) -> PrepareTask:
        try:
            async with asyncio.timeout(patience_s):
                return await self._prepared(facts)
        except TimeoutError:
            return _without(facts, "the context was not ready in time")
        except Exception as error:  # noqa: BLE001 - whatever it is, the task must run
            _log.exception("preparation_failed", task=str(facts.task))
            code = getattr(error, "code", type(error).__name__)
            return _without(facts, f"the context could not be made ({code})")

    async def _prepared(self, facts: TaskFacts) -> PrepareTask:
        if facts.conversation is None:
            prepared = _without(facts, "no identical task has a result that may be used again")
        else:
            prepared = await self._contexts.prepare(facts)
        if not facts.cache:
            return prepared
        cached = await self._responses.find(facts, prepared.payload or facts.input)
        if cached is None:
            return prepared
        return PrepareTask(
            command_id=prepared.command_id,
            task=facts.task,
            cached=cached.result,
            cached_from=cached.task,
            cached_variant=cached.variant,
        )


def _without(facts: TaskFacts, note: str) -> PrepareTask:
    return PrepareTask(command_id=f"prepare:{facts.task}", task=facts.task, note=note)


def _outcome(command: PrepareTask) -> str:
    if command.cached is not None:
        return "cached"
    return "context" if command.payload is not None else "alone"
