"""Which models one Triton has loaded, and loading and unloading them by explicit model control."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from pointsman.contracts.events import Residency
from pointsman.executor.adapters.kserve import (
    LoadedModel,
    loaded_model,
    messages,
    request_bytes,
    request_head,
)
from pointsman.executor.adapters.kserve_signs import checkpoint_bytes
from pointsman.executor.adapters.model_catalogue import ModelCatalogue, placed, residency_of
from pointsman.executor.adapters.triton_failures import load_failure_of
from pointsman.executor.adapters.triton_questions import ASK_S, TritonQuestions
from pointsman.executor.ports import (
    LOAD_FAILED,
    LOAD_TIMEOUT,
    UNKNOWN_MODEL,
    Call,
    EngineError,
    Placement,
)

CANARY_MODEL: Final = "identity"
"""Gives its input back, so that its answer is known byte by byte."""

_READY: Final = "READY"
_LOADING: Final = "LOADING"
_UNLOADING: Final = "UNLOADING"
_POLL_S: Final = 0.02
_LOAD_CANARY_S: Final = 60.0


class TritonModels:
    """The models of one server that keep the convention.

    With a `catalogue` the leader decides what is loaded. The canary's model is then no tenant: it
    is loaded beside whatever else is, and neither offered nor unloaded.
    """

    def __init__(self, questions: TritonQuestions, catalogue: ModelCatalogue | None) -> None:
        self._questions = questions
        self._catalogue = catalogue
        self.served: Mapping[str, LoadedModel] = MappingProxyType({})
        """Everything that is ready, the canary's model included."""
        self.heads: Mapping[str, bytes] = MappingProxyType({})
        """What is equal in all requests to a model, serialised."""
        self.loadable: tuple[Residency, ...] = ()

    @property
    def loading(self) -> bool:
        """Whether somebody beside the server itself decides what is loaded."""
        return self._catalogue is not None

    @property
    def residency(self) -> tuple[Residency, ...]:
        """What is loaded, as the leader hears of it."""
        return tuple(
            residency_of(model) for name, model in self.served.items() if not self._hidden(name)
        )

    @property
    def on_gpu(self) -> bool:
        """Whether one of them has its instances on a GPU."""
        return any(model.on_gpu for model in self.served.values())

    def heartbeat_s(self, variant: str) -> float:
        """What its configuration promises; 0: nothing."""
        model = self.served.get(variant)
        return 0.0 if model is None else model.heartbeat_s

    def request(self, call: Call) -> bytes:
        """A whole request, with the checkpoint if the model takes one."""
        model = self.served.get(call.variant)
        head = self.heads.get(call.variant) or request_head(call.variant, (1,))
        request = request_bytes(head, call.id, call.payload, call.parameters)
        if call.checkpoint is None or model is None or not model.resumes:
            return request
        return request + checkpoint_bytes(call.checkpoint)

    async def settle(self) -> None:
        """Take back what somebody else had ordered, load the canary's model, then `look`."""
        if self._catalogue is not None:
            index = await self._questions.index()
            for name, states in index.items():
                if _LOADING in states:
                    # The server does it when the load has ended, also when nobody waits for it.
                    with suppress(EngineError):
                        await self._order("Unload", name, timeout_s=ASK_S)
            if _READY not in index.get(CANARY_MODEL, {_READY}):
                await self._order("Load", CANARY_MODEL, timeout_s=_LOAD_CANARY_S)
        await self.look()

    async def look(self) -> None:
        """Learn what is loaded, and what could be."""
        index = await self._questions.index()
        ready = sorted(name for name, states in index.items() if _READY in states)
        configs = [await self._questions.config(name) for name in ready]
        models = [model for config in configs if (model := loaded_model(config)) is not None]
        self.served = {model.name: model for model in models}
        self.heads = {model.name: request_head(model.name, model.shape) for model in models}
        if self._catalogue is None:
            return
        for config in configs:
            self._catalogue.learn(config)
        names = sorted(name for name in index if not self._hidden(name))
        found = await asyncio.to_thread(_known, self._catalogue, names)
        self.loadable = tuple(found)

    async def load(self, variant: str, placement: Placement, timeout_s: float) -> None:
        """Return when it is ready; raises what `Engine.load` does."""
        if variant not in await self._questions.index():
            raise EngineError(
                UNKNOWN_MODEL,
                f"the engine's repository has no model {variant!r}; put it there, or register "
                "only what it has",
                retryable=False,
            )
        config = None if self._catalogue is None else self._catalogue.config(variant)
        if placement.gpus and config is None:
            # Once it is loaded, the server tells what an override has to repeat.
            await self._order("Load", variant, timeout_s=timeout_s)
            config = await self._questions.config(variant)
        override = placed(config, placement) if placement.gpus else None
        await self._order("Load", variant, timeout_s=timeout_s, override=override)
        await self.look()
        if variant not in self.served:
            raise EngineError(
                LOAD_FAILED,
                f"{variant} is loaded, but does not take one BYTES INPUT and give one OUTPUT",
                retryable=False,
            )

    async def unload(self, variant: str, timeout_s: float) -> None:
        """Return when nothing of it is left; raises what `Engine.unload` does."""
        states = (await self._questions.index()).get(variant, set())
        if states & {_READY, _LOADING}:
            await self._order("Unload", variant, timeout_s=timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                while _UNLOADING in (await self._questions.index()).get(variant, set()):  # noqa: ASYNC110 - the server says nothing by itself
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            message = f"{variant} takes no more calls, but still holds its memory"
            raise EngineError(LOAD_TIMEOUT, message, retryable=True) from None
        finally:
            await self.look()

    async def _order(
        self, verb: str, variant: str, *, timeout_s: float, override: str | None = None
    ) -> None:
        request: Any = getattr(messages, f"RepositoryModel{verb}Request")(model_name=variant)
        if verb == "Unload":
            request.parameters["unload_dependents"].bool_param = True
        if override is not None:
            request.parameters["config"].string_param = override
        try:
            await self._questions.ask(f"RepositoryModel{verb}", request, timeout_s)
        except EngineError as error:
            raise load_failure_of(error) from error

    def _hidden(self, name: str) -> bool:
        return self._catalogue is not None and name == CANARY_MODEL


def _known(catalogue: ModelCatalogue, names: list[str]) -> list[Residency]:
    return [known for name in names if (known := catalogue.would_be(name)) is not None]
