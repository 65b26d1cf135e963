"""What every engine must do whose models are loaded by the leader; inherited once for each."""

import pytest

from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND
from pointsman.executor.ports import (
    LOAD_TIMEOUT,
    UNKNOWN_MODEL,
    Call,
    Engine,
    EngineError,
    Placement,
)

ANYWHERE = Placement()


def call(variant: str, payload: bytes = b"a") -> Call:
    return Call(
        id="0190f0f0-0000-7000-8000-000000000001",
        variant=variant,
        payload=payload,
        media_type="text/plain",
        timeout_s=30.0,
    )


def loaded(engine: Engine) -> list[str]:
    return sorted(residency.variant for residency in engine.residency)


class LoadingContract:
    """The engine starts with nothing loaded, and can load `first`, `second` and `slow`."""

    first: str
    second: str
    slow: str
    """Takes at least 0.5 s."""

    async def test_it_offers_what_it_could_load(self, engine: Engine) -> None:
        offered = {loadable.variant: loadable for loadable in engine.loadable}

        assert loaded(engine) == []
        assert {self.first, self.second, self.slow} <= offered.keys()
        assert offered[self.first].slots >= 1

    async def test_a_loaded_variant_serves_as_it_was_offered(self, engine: Engine) -> None:
        await engine.load(self.first, placement=ANYWHERE, timeout_s=30)

        output = await engine.infer(call(self.first, b"payload"))

        assert output.data == b"payload"
        assert set(engine.residency) <= set(engine.loadable)
        assert loaded(engine) == [self.first]

    async def test_several_variants_are_loaded_beside_each_other(self, engine: Engine) -> None:
        for variant in (self.first, self.second):
            await engine.load(variant, placement=ANYWHERE, timeout_s=30)

        outputs = [await engine.infer(call(each)) for each in (self.first, self.second)]

        assert [output.data for output in outputs] == [b"a", b"a"]
        assert loaded(engine) == [self.first, self.second]

    async def test_an_unloaded_variant_serves_no_more_and_the_others_do(
        self, engine: Engine
    ) -> None:
        for variant in (self.first, self.second):
            await engine.load(variant, placement=ANYWHERE, timeout_s=30)

        await engine.unload(self.first, timeout_s=30)

        with pytest.raises(EngineError) as caught:
            await engine.infer(call(self.first))
        assert (caught.value.code, caught.value.retryable) == (MODEL_NOT_FOUND, True)
        assert (await engine.infer(call(self.second))).data == b"a"
        assert loaded(engine) == [self.second]

    async def test_a_variant_can_be_loaded_again(self, engine: Engine) -> None:
        await engine.load(self.first, placement=ANYWHERE, timeout_s=30)
        await engine.unload(self.first, timeout_s=30)

        await engine.load(self.first, placement=ANYWHERE, timeout_s=30)

        assert (await engine.infer(call(self.first))).data == b"a"

    async def test_loading_what_is_loaded_and_unloading_what_is_not_changes_nothing(
        self, engine: Engine
    ) -> None:
        await engine.load(self.first, placement=ANYWHERE, timeout_s=30)

        await engine.load(self.first, placement=ANYWHERE, timeout_s=30)
        await engine.unload(self.second, timeout_s=30)
        await engine.unload("nobody-knows-it", timeout_s=30)

        assert loaded(engine) == [self.first]

    async def test_a_variant_that_the_engine_does_not_have_is_refused(self, engine: Engine) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.load("nobody-knows-it", placement=ANYWHERE, timeout_s=30)

        assert (caught.value.code, caught.value.retryable) == (UNKNOWN_MODEL, False)
        assert not caught.value.device_lost

    async def test_a_load_that_is_not_done_in_its_time_is_refused_and_can_be_taken_back(
        self, engine: Engine
    ) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.load(self.slow, placement=ANYWHERE, timeout_s=0.05)
        await engine.unload(self.slow, timeout_s=30)

        assert (caught.value.code, caught.value.retryable) == (LOAD_TIMEOUT, True)
        assert loaded(engine) == []

    async def test_it_is_well_and_quiescent_with_nothing_loaded(self, engine: Engine) -> None:
        await engine.refresh()
        await engine.canary()

        assert await engine.quiescent()

    async def test_it_is_well_and_quiescent_after_a_change(self, engine: Engine) -> None:
        await engine.load(self.first, placement=ANYWHERE, timeout_s=30)
        await engine.quiescent()
        await engine.load(self.second, placement=ANYWHERE, timeout_s=30)
        await engine.unload(self.first, timeout_s=30)

        await engine.canary()

        assert await engine.quiescent()
