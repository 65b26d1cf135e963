"""What every engine must do; inherited once per implementation."""

from pointsman.executor.ports import Call, Engine, Output


class EngineContract:
    variant: str

    def call(self, payload: bytes, **changes: object) -> Call:
        fields = {
            "id": "0190f0f0-0000-7000-8000-000000000001",
            "variant": self.variant,
            "payload": payload,
            "media_type": "text/plain",
            "timeout_s": 30.0,
        }
        return Call(**(fields | changes))  # pyright: ignore[reportArgumentType] - mixed on purpose

    async def test_it_offers_what_it_runs(self, engine: Engine) -> None:
        loaded = {residency.variant: residency.slots for residency in engine.residency}

        assert loaded[self.variant] >= 1

    async def test_a_payload_arrives_byte_by_byte(self, engine: Engine) -> None:
        payload = bytes(range(256)) * 5

        output = await engine.infer(self.call(payload))

        assert output.data == payload
        assert output.model_version

    async def test_an_empty_payload_is_a_payload(self, engine: Engine) -> None:
        output = await engine.infer(self.call(b""))

        assert output.data == b""

    async def test_a_batch_gives_every_call_its_own_output(self, engine: Engine) -> None:
        payloads = [b"first", b"", bytes(range(256)) * 4]

        outputs = await engine.infer_batch([self.call(payload) for payload in payloads])

        assert [each.data for each in outputs if isinstance(each, Output)] == payloads

    async def test_it_says_how_many_tasks_a_call_carries(self, engine: Engine) -> None:
        carried = {residency.variant: residency.max_batch for residency in engine.residency}

        assert carried[self.variant] > 1

    async def test_its_canary_comes_back(self, engine: Engine) -> None:
        await engine.canary()

    async def test_an_idle_engine_is_seen_to_be_quiescent(self, engine: Engine) -> None:
        assert await engine.quiescent()
