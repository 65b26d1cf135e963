"""Engines whose models are loaded by the leader: the stand-in, and a real Triton."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from pointsman.contracts.events import Residency
from pointsman.executor.adapters.model_catalogue import ModelCatalogue
from pointsman.executor.adapters.noop import NoopEngine
from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import (
    LOAD_FAILED,
    EngineDeadlineError,
    EngineError,
    Placement,
)
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import triton
from pointsman.testing.timed_repository import TimedModel, write_timed_models
from pointsman.testing.waiting import wait_until
from tests.executor.conftest import require_triton
from tests.executor.loading_contract import ANYWHERE, LoadingContract, call, loaded
from tests.executor.triton_calls import call as call_with

MODELS = (TimedModel("first", 0.0, 0.1), TimedModel("second", 0.0, 0.1), TimedModel("slow", 0.5, 1))
BROKEN = "raise RuntimeError('no weights')\n"
NOT_OURS = 'name: "other_shape"\nbackend: "python"\nmax_batch_size: 0\n' + "".join(
    f'{kind} [ {{ name: "{kind.upper()}" data_type: TYPE_INT32 dims: [ 3 ] }} ]\n'
    for kind in ("input", "output")
)


class TestNoopEngine(LoadingContract):
    first, second, slow = "first", "second", "slow"

    @pytest.fixture
    async def engine(self) -> AsyncGenerator[NoopEngine]:
        names = [model.name for model in MODELS]
        delays = {model.name: model.load_s for model in MODELS}
        engine = NoopEngine(names, slots=3, loading=True, declared_load_s=delays)
        await engine.open()
        yield engine
        await engine.close()

    async def test_a_call_takes_the_run_time_that_it_declares(self, engine: NoopEngine) -> None:
        await engine.load("first", placement=ANYWHERE, timeout_s=1)

        with pytest.raises(EngineDeadlineError):
            await engine.infer(call_with("first", b"a", timeout_s=0.01, run_s="20.5"))
        output = await engine.infer(call_with("first", b"a", timeout_s=20, run_s="0.001"))

        assert output.model_version == "noop"

    @pytest.mark.parametrize("run_s", ["soon", "-1", "nan", "inf"])
    async def test_a_run_time_that_is_none_is_refused(self, engine: NoopEngine, run_s: str) -> None:
        await engine.load("first", placement=ANYWHERE, timeout_s=1)

        with pytest.raises(EngineError) as caught:
            await engine.infer(call_with("first", b"a", run_s=run_s))

        assert caught.value.code == "invalid_input"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("loading") / "models"
    write_timed_models(models, [*MODELS, TimedModel("broken", 0.0, 0.1)])
    (models / "broken" / "1" / "model.py").unlink()
    (models / "broken" / "1" / "model.py").write_text(BROKEN)
    (models / "other_shape" / "1").mkdir(parents=True)
    (models / "other_shape" / "config.pbtxt").write_text(NOT_OURS)
    (models / "other_shape" / "1" / "model.py").write_text("class TritonPythonModel:\n    pass\n")
    (models / "torn").mkdir()
    (models / "torn" / "config.pbtxt").write_text("name: torn {")
    return models


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def empty_triton(repository: Path) -> AsyncGenerator[LocalTriton]:
    """Serves nothing but the canary's model at first."""
    require_triton()
    async with triton(repository.parent, repository=repository) as server:
        yield server


@asynccontextmanager
async def opened(
    server: LocalTriton, repository: Path | None, *declared: Residency
) -> AsyncGenerator[TritonEngine]:
    engine = TritonEngine(
        f"grpc://{server.grpc_address}", catalogue=ModelCatalogue(repository, declared)
    )
    await engine.open()
    try:
        yield engine
    finally:
        await asyncio.gather(*(engine.unload(each, timeout_s=30) for each in loaded(engine)))
        await engine.close()


@pytest.mark.triton
@pytest.mark.asyncio(loop_scope="module")
class TestTritonEngine(LoadingContract):
    first, second, slow = "first", "second", "slow"

    @pytest_asyncio.fixture(loop_scope="module")
    async def engine(
        self, empty_triton: LocalTriton, repository: Path
    ) -> AsyncGenerator[TritonEngine]:
        async with opened(empty_triton, repository) as engine:
            yield engine

    async def test_only_models_that_keep_the_convention_are_offered(
        self, engine: TritonEngine
    ) -> None:
        assert [each.variant for each in engine.loadable] == ["broken", "first", "second", "slow"]

    async def test_the_canarys_model_is_there_and_no_tenant(self, engine: TritonEngine) -> None:
        assert loaded(engine) == []
        assert (await engine.infer(call("identity", b"a"))).data == b"a"

    @pytest.mark.parametrize(
        ("variant", "words"),
        [("broken", "no weights"), ("torn", "torn"), ("other_shape", "other_shape")],
    )
    async def test_a_model_that_cannot_be_loaded_says_why(
        self, engine: TritonEngine, variant: str, words: str
    ) -> None:
        with pytest.raises(EngineError, match=words) as caught:
            await engine.load(variant, placement=ANYWHERE, timeout_s=30)

        assert (caught.value.code, caught.value.device_lost) == (LOAD_FAILED, False)
        await engine.canary()

    async def test_calls_go_on_while_another_model_is_loaded_and_unloaded(
        self, engine: TritonEngine
    ) -> None:
        await engine.load("first", placement=ANYWHERE, timeout_s=30)
        running = asyncio.create_task(engine.infer(call_with("first", b"a", run_s="0.7")))

        await engine.load("second", placement=ANYWHERE, timeout_s=30)
        await engine.unload("second", timeout_s=30)

        assert (await running).data == b"a"

    async def test_what_a_model_would_be_can_be_declared_or_is_learnt_from_its_first_load(
        self, engine: TritonEngine, empty_triton: LocalTriton
    ) -> None:
        declared = Residency(variant="second", slots=7, max_batch=5)
        async with opened(empty_triton, None, declared) as remote:
            at_first = remote.loadable
            await remote.load("first", placement=ANYWHERE, timeout_s=30)

            assert at_first == (declared,)
            assert remote.loadable == (Residency(variant="first", slots=1), declared)
        assert loaded(engine) == []

    async def test_a_restarted_executor_finds_what_is_loaded(
        self, engine: TritonEngine, empty_triton: LocalTriton, repository: Path
    ) -> None:
        await engine.load("first", placement=ANYWHERE, timeout_s=30)

        async with opened(empty_triton, repository) as restarted:
            assert loaded(restarted) == ["first"]

    async def test_an_executor_that_starts_during_a_load_takes_it_back(
        self, engine: TritonEngine, empty_triton: LocalTriton, repository: Path
    ) -> None:
        with pytest.raises(EngineError):
            await engine.load("slow", placement=ANYWHERE, timeout_s=0.05)

        async with opened(empty_triton, repository) as restarted:
            assert loaded(restarted) == []
        assert (await settled(engine, "slow")) == []


@pytest.mark.triton
@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_that_was_restarted_is_empty_but_for_the_canary(
    empty_triton: LocalTriton, repository: Path
) -> None:
    async with opened(empty_triton, repository) as engine:
        await engine.load("first", placement=ANYWHERE, timeout_s=30)
        empty_triton.kill()
        await empty_triton.wait()
        with pytest.raises(EngineError) as while_down:
            await engine.load("second", placement=ANYWHERE, timeout_s=30)

        await empty_triton.start()
        await wait_until(lambda: refreshed(engine))

        assert while_down.value.device_lost
        assert loaded(engine) == []
        await engine.canary()


@pytest.mark.triton
@pytest.mark.asyncio(loop_scope="module")
async def test_a_placement_reaches_the_server(repository: Path, empty_triton: LocalTriton) -> None:
    """Without a GPU the server says that it has none: it was asked for the right one."""
    on_gpu = repository / "on_gpu"
    write_timed_models(repository.parent / "gpu", [TimedModel("on_gpu", 0.0, 0.1)])
    (repository.parent / "gpu" / "on_gpu").rename(on_gpu)
    config = (on_gpu / "config.pbtxt").read_text().replace("KIND_CPU", "KIND_AUTO")
    (on_gpu / "config.pbtxt").write_text(config)
    async with opened(empty_triton, repository) as engine:
        with pytest.raises(EngineError, match="gpu id 3") as caught:
            await engine.load("on_gpu", placement=Placement((3,)), timeout_s=30)

        await engine.load("first", placement=Placement((3,)), timeout_s=30)

        assert caught.value.code == LOAD_FAILED
        assert loaded(engine) == ["first"]


async def settled(engine: TritonEngine, variant: str) -> list[str]:
    """What is loaded when nothing is on its way any more."""
    await engine.unload(variant, timeout_s=30)
    return loaded(engine)


async def refreshed(engine: TritonEngine) -> bool:
    try:
        await engine.refresh()
    except EngineError:
        return False
    return True
