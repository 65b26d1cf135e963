"""Questions to a Triton beside inference: one request, one answer, errors as ours."""

from typing import Any, Final

import grpc.aio

from pointsman.executor.adapters.kserve import SERVICE, messages
from pointsman.executor.adapters.triton_failures import failure_of

ASK_S: Final = 2.0


class TritonQuestions:
    """Over a channel that passes bytes through."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - grpc.aio's own type is private
        self._channel = channel

    async def ask(self, verb: str, request: Any, timeout_s: float = ASK_S) -> Any:  # noqa: ANN401 - generated messages
        """The answer to a request of the method `verb`; raises `EngineError`."""
        call = self._channel.unary_unary(SERVICE + verb)
        try:
            body = await call(request.SerializeToString(), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error.code(), error.details()) from None
        return getattr(messages, f"{verb}Response").FromString(body)

    async def index(self) -> dict[str, set[str]]:
        """Every model of the server's repository, with the states of its versions."""
        request = messages.RepositoryIndexRequest()
        states: dict[str, set[str]] = {}
        for model in (await self.ask("RepositoryIndex", request)).models:
            states.setdefault(model.name, set()).add(model.state)
        return states

    async def config(self, name: str) -> Any:  # noqa: ANN401 - the generated ModelConfig
        """The configuration of a model that is loaded; of others the server tells none."""
        return (await self.ask("ModelConfig", messages.ModelConfigRequest(name=name))).config
