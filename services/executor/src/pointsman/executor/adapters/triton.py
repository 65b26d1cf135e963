"""One Triton server over grpc.aio, with bytes in and bytes out."""

import asyncio
import re
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
    loaded_model,
    messages,
    read_output,
    request_bytes,
    request_head,
)
from pointsman.executor.adapters.kserve_batch import batch_bytes, read_outputs
from pointsman.executor.adapters.kserve_stream import STREAM_VERB
from pointsman.executor.adapters.triton_failures import failure_of
from pointsman.executor.adapters.triton_stream import StreamedCalls
from pointsman.executor.ports import (
    Call,
    EngineBusyError,
    EngineDeadlineError,
    EngineError,
    OnPiece,
    Output,
)

SCHEME: Final = "grpc://"
CANARY_MODEL: Final = "identity"
"""Gives its input back, so that its answer is known byte by byte."""
CANARY_TIMEOUT_S: Final = 3.0
"""With the pause between canaries and `_ASK_S`, a server that hangs is noticed within 15 s."""

_CANARY: Final = b"pointsman canary \x00\xff\xc3\xa9\n" + bytes(range(256))
# Read as a text by models that take one; a model that refuses it has answered as well.
_OCCUPANCY_PROBE: Final = b"Is anybody still working here? This sentence is only a probe."
_TRACE_FLAGS: Final = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})$")
_ASK_S: Final = 2.0
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
    """A Triton at `grpc://host:port`; serves the models that keep Pointsman's convention."""

    def __init__(self, endpoint: str, *, canary_timeout_s: float = CANARY_TIMEOUT_S) -> None:
        self._endpoint = endpoint
        self._canary_timeout_s = canary_timeout_s
        self._channel: Any = grpc.aio.insecure_channel(
            endpoint.removeprefix(SCHEME), options=_CHANNEL
        )
        # No serialisers: bytes pass through.
        self._infer: Any = self._channel.unary_unary(SERVICE + "ModelInfer")
        self._streams = StreamedCalls(self._channel.stream_stream(SERVICE + STREAM_VERB))
        self._heads: dict[str, bytes] = {}
        self._streaming: frozenset[str] = frozenset()
        self._batching: frozenset[str] = frozenset()
        self._in_flight: Counter[str] = Counter()
        self._completed: dict[str, int] = {}
        self._fresh = False
        self.residency: tuple[Residency, ...] = ()
        self.device_class = "cpu"

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
        index = await self._ask("RepositoryIndex", messages.RepositoryIndexRequest(ready=True))
        configs = [
            (await self._ask("ModelConfig", messages.ModelConfigRequest(name=name))).config
            for name in sorted({model.name for model in index.models})
        ]
        served = [loaded for config in configs if (loaded := loaded_model(config)) is not None]
        if not served:
            raise EngineError(
                "nothing_served",
                f"no model is ready that takes one BYTES {INPUT} and gives one {OUTPUT}",
                retryable=True,
            )
        self._heads = {loaded.name: request_head(loaded.name, loaded.shape) for loaded in served}
        self._streaming = frozenset(loaded.name for loaded in served if loaded.streams)
        self._batching = frozenset(loaded.name for loaded in served if loaded.max_batch > 1)
        self.device_class = "gpu" if any(loaded.on_gpu for loaded in served) else "cpu"
        self.residency = tuple(
            Residency(variant=loaded.name, slots=loaded.slots, max_batch=loaded.max_batch)
            for loaded in served
        )
        await self.canary()

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        metadata = _metadata([call])
        head = self._heads.get(call.variant) or request_head(call.variant, (1,))
        request = request_bytes(head, call.id, call.payload, call.parameters)
        with self._calling(call.variant):
            if call.variant in self._streaming:
                return await self._streams.whole(request, call.timeout_s, metadata, on_piece)
            body = await self._infer(request, timeout=call.timeout_s, metadata=metadata)
        return self._read(call.variant, body)

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        variant = calls[0].variant
        request = batch_bytes(request_head(variant, (len(calls), 1)), calls)
        timeout_s = max(call.timeout_s for call in calls)
        with self._calling(variant):
            body = await self._infer(request, timeout=timeout_s, metadata=_metadata(calls))
        return read_outputs(body, len(calls))

    def _read(self, variant: str, body: bytes) -> Output:
        if variant not in self._batching:
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
        if CANARY_MODEL not in self._heads:
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
        request = request_bytes(self._heads[variant], "pointsman-probe", payload, None)
        try:
            if variant in self._streaming:
                return await self._streams.first(request, timeout_s)
            return self._read(variant, await self._infer(request, timeout=timeout_s))
        except grpc.aio.AioRpcError as error:
            raise failure_of(error.code(), error.details()) from None

    async def _check_ready(self) -> None:
        for variant in self._heads:
            answer = await self._ask("ModelReady", messages.ModelReadyRequest(name=variant))
            if not answer.ready:
                raise EngineError("not_ready", f"{variant} is not ready", retryable=True)

    async def _is_live(self) -> bool:
        try:
            return bool((await self._ask("ServerLive", messages.ServerLiveRequest())).live)
        except EngineError:
            return False

    async def _completions(self) -> dict[str, int]:
        """Calls that each model has finished since the server started."""
        answer = await self._ask("ModelStatistics", messages.ModelStatisticsRequest())
        self._completed = {
            model.name: model.inference_stats.success.count + model.inference_stats.fail.count
            for model in answer.model_stats
        }
        return self._completed

    async def _ask(self, verb: str, request: Any) -> Any:  # noqa: ANN401 - generated messages
        call = self._channel.unary_unary(SERVICE + verb)
        try:
            body = await call(request.SerializeToString(), timeout=_ASK_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error.code(), error.details()) from None
        return getattr(messages, f"{verb}Response").FromString(body)


def _metadata(calls: Sequence[Call]) -> tuple[tuple[str, str], ...] | None:
    # Triton ignores the flag and traces whatever it is sent.
    for call in calls:
        if call.traceparent is not None and _is_sampled(call.traceparent):
            return (("traceparent", call.traceparent),)
    return None


def _restarted(before: dict[str, int], now: dict[str, int]) -> bool:
    counted = {name: count for name, count in before.items() if count}
    return bool(counted) and all(now.get(name, 0) < count for name, count in counted.items())


def _is_sampled(traceparent: str) -> bool:
    match = _TRACE_FLAGS.search(traceparent)
    return match is not None and bool(int(match[1], 16) & 1)
