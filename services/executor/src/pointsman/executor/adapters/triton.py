"""One Triton server over grpc.aio, with bytes in and bytes out."""

import asyncio
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import grpc
import grpc.aio
import structlog

from pointsman.contracts.events import Residency
from pointsman.executor.adapters.kserve import (
    INPUT,
    OUTPUT,
    SERVICE,
    messages,
    read_output,
    request_bytes,
    request_head,
)
from pointsman.executor.adapters.kserve_batch import batch_bytes, read_outputs
from pointsman.executor.adapters.kserve_stream import STREAM_VERB
from pointsman.executor.adapters.model_catalogue import ModelCatalogue
from pointsman.executor.adapters.triton_failures import failure_of, load_failure_of
from pointsman.executor.adapters.triton_loading import CANARY_MODEL, TritonModels
from pointsman.executor.adapters.triton_questions import TritonQuestions
from pointsman.executor.adapters.triton_stream import StreamedCalls
from pointsman.executor.adapters.triton_tracing import trace_metadata
from pointsman.executor.ports import (
    GRPC,
    Call,
    EngineBusyError,
    EngineDeadlineError,
    EngineError,
    OnPiece,
    Output,
    Placement,
)

CANARY_TIMEOUT_S: Final = 3.0
"""With the pause between canaries and `ASK_S`, a server that hangs is noticed within 15 s."""

_CANARY: Final = b"pointsman canary \x00\xff\xc3\xa9\n" + bytes(range(256))
# Read as a text by models that take one; a model that refuses it has answered as well.
_OCCUPANCY_PROBE: Final = b"Is anybody still working here? This sentence is only a probe."
_ANSWERS: Final = frozenset({"invalid_input", "model_error"})
_OPEN_RETRY_S: Final = 0.25
_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_CHANNEL: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    # A link that went away without a word is noticed after 30 s; servers with gRPC's default
    # policy take two such pings without data, and the canaries bring data in between.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A restarted server is found again within a second; gRPC's own backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Whether to try again is the leader's decision.
    ("grpc.enable_retries", 0),
    # Channels to one address otherwise share a connection, and its fate.
    ("grpc.use_local_subchannel_pool", 1),
)

_log = structlog.get_logger(__name__)


class TritonEngine:
    """A Triton at `grpc://host:port`; serves the models that keep Pointsman's convention.

    With a `catalogue` it loads and unloads them, too, and may have none at first.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        canary_timeout_s: float = CANARY_TIMEOUT_S,
        catalogue: ModelCatalogue | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._canary_timeout_s = canary_timeout_s
        self._channel: Any = grpc.aio.insecure_channel(
            endpoint.removeprefix(GRPC), options=_CHANNEL
        )
        # No serialisers: bytes pass through.
        self._infer: Any = self._channel.unary_unary(SERVICE + "ModelInfer")
        self._streams = StreamedCalls(self._channel.stream_stream(SERVICE + STREAM_VERB))
        self._questions = TritonQuestions(self._channel)
        self._models = TritonModels(self._questions, catalogue)
        self._in_flight: Counter[str] = Counter()
        self._completed: dict[str, int] = {}
        self._fresh = False
        self.device_class = "cpu"

    @property
    def residency(self) -> tuple[Residency, ...]:
        return self._models.residency

    @property
    def loadable(self) -> tuple[Residency, ...]:
        return self._models.loadable

    def heartbeat_s(self, variant: str) -> float:
        return self._models.heartbeat_s(variant)

    async def open(self) -> None:
        reported = ""
        while True:
            try:
                return await self._learn()
            except EngineError as error:
                if str(error) != reported:
                    reported = str(error)
                    _log.warning("engine_awaited", endpoint=self._endpoint, reason=reported)
            await asyncio.sleep(_OPEN_RETRY_S)

    async def _learn(self) -> None:
        completed = await self._completions()
        # Every holder runs a canary first, so nobody has held an engine that has completed nothing.
        self._fresh = not any(completed.values())
        await self._models.settle()
        self.device_class = "gpu" if self._models.on_gpu else "cpu"
        if not self._models.served and not self._models.loading:
            raise EngineError(
                "nothing_served",
                f"no model is ready that takes one BYTES {INPUT} and gives one {OUTPUT}",
                retryable=True,
            )
        await self.canary()

    async def refresh(self) -> None:
        await self._models.settle()

    async def load(self, variant: str, *, placement: Placement, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        await self._models.load(variant, placement, timeout_s)
        try:
            await self._probe(variant, _OCCUPANCY_PROBE, max(0.0, until - loop.time()))
        except EngineError as error:
            # One that cannot make anything of a probe has answered.
            if error.code not in _ANSWERS:
                raise load_failure_of(error) from error

    async def unload(self, variant: str, *, timeout_s: float) -> None:
        await self._models.unload(variant, timeout_s)
        # What is counted anew when it is loaded again is no sign of a restart.
        self._completed.pop(variant, None)

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        metadata = trace_metadata([call])
        request = self._models.request(call)
        with self._calling(call.variant):
            if self._streaming(call.variant):
                return await self._streams.whole(request, call.timeout_s, metadata, on_piece)
            body = await self._infer(request, timeout=call.timeout_s, metadata=metadata)
        return self._read(call.variant, body)

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        variant = calls[0].variant
        request = batch_bytes(request_head(variant, (len(calls), 1)), calls)
        timeout_s = max(call.timeout_s for call in calls)
        with self._calling(variant):
            body = await self._infer(request, timeout=timeout_s, metadata=trace_metadata(calls))
        return read_outputs(body, len(calls))

    def _read(self, variant: str, body: bytes) -> Output:
        model = self._models.served.get(variant)
        if model is None or model.max_batch == 1:
            return read_output(body)
        (output,) = read_outputs(body, 1)
        if isinstance(output, EngineError):
            raise output
        return output

    @contextmanager
    def _calling(self, variant: str) -> Generator[None]:
        """Counts a call in flight and says what the end of it means."""
        self._in_flight[variant] += 1
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise failure_of(error.code(), error.details()) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled us: the channel was closed under the call.
            raise failure_of(grpc.StatusCode.CANCELLED, "the connection was closed") from None
        finally:
            self._in_flight[variant] -= 1

    async def canary(self) -> None:
        """Compare bytes on the `identity` model; without it, only ask for readiness."""
        if CANARY_MODEL not in self._models.served:
            return await self._check_ready()
        try:
            output = await self._probe(CANARY_MODEL, _CANARY, self._canary_timeout_s)
        except EngineDeadlineError as error:
            if not await self._is_live():
                raise EngineError(
                    "engine_unavailable",
                    "neither a canary nor the question whether it lives was answered in time",
                    retryable=True,
                    device_lost=True,
                ) from error
            if self._in_flight[CANARY_MODEL]:
                raise EngineBusyError("the canary waits behind calls that are in flight") from error
            raise
        if output.data != _CANARY:
            raise EngineError("bad_output", "the canary came back with other bytes", retryable=True)
        return None

    async def quiescent(self) -> bool:
        """See whether calls that somebody else has sent are still being worked on.

        True if the server is new, or was restarted since it was last seen: its counters say so.
        Otherwise every variant is sent as many small calls as it has slots; an instance that is
        busy with a call which ignores its cancellation is not seen while another one is free.
        """
        before = self._completed
        try:
            now = await self._completions()
            if self._fresh or _restarted(before, now):
                self._fresh = False
                return True
            async with asyncio.timeout(self._canary_timeout_s):
                return all(
                    await asyncio.gather(
                        *(
                            self._answers(loaded.variant)
                            for loaded in self.residency
                            for _ in range(loaded.slots)
                        )
                    )
                )
        except (EngineError, TimeoutError):
            return False

    async def close(self) -> None:
        await self._channel.close(grace=None)

    async def _answers(self, variant: str) -> bool:
        try:
            await self._probe(variant, _OCCUPANCY_PROBE, self._canary_timeout_s)
        except EngineDeadlineError:
            return False
        except EngineError as error:
            return not error.device_lost
        return True

    async def _probe(self, variant: str, payload: bytes, timeout_s: float) -> Output:
        request = request_bytes(self._models.heads[variant], "pointsman-probe", payload, None)
        try:
            if self._streaming(variant):
                return await self._streams.first(request, timeout_s)
            return self._read(variant, await self._infer(request, timeout=timeout_s))
        except grpc.aio.AioRpcError as error:
            raise failure_of(error.code(), error.details()) from None

    def _streaming(self, variant: str) -> bool:
        model = self._models.served.get(variant)
        return model is not None and model.streams

    async def _check_ready(self) -> None:
        if not self._models.served and not await self._is_live():
            raise EngineError("not_ready", "the server does not answer", retryable=True)
        for variant in self._models.served:
            request = messages.ModelReadyRequest(name=variant)
            if not (await self._questions.ask("ModelReady", request)).ready:
                raise EngineError("not_ready", f"{variant} is not ready", retryable=True)

    async def _is_live(self) -> bool:
        try:
            return bool(
                (await self._questions.ask("ServerLive", messages.ServerLiveRequest())).live
            )
        except EngineError:
            return False

    async def _completions(self) -> dict[str, int]:
        """Calls that each model has finished since the server started."""
        answer = await self._questions.ask("ModelStatistics", messages.ModelStatisticsRequest())
        self._completed = {
            model.name: model.inference_stats.success.count + model.inference_stats.fail.count
            for model in answer.model_stats
        }
        return self._completed


def _restarted(before: dict[str, int], now: dict[str, int]) -> bool:
    counted = {name: count for name, count in before.items() if count}
    return bool(counted) and all(now.get(name, 0) < count for name, count in counted.items())
