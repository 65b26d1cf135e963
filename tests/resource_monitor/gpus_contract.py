"""What everything that reads GPUs must do; subclassed once per implementation."""

from pointsman.resource_monitor.ports import Gpus


class GpusContract:
    """Subclasses give `gpus`, with at least one GPU that answers."""

    async def test_every_gpu_has_a_name_of_its_own(self, gpus: Gpus) -> None:
        census = await gpus.read()

        assert census.gpus
        assert len({gpu.uuid for gpu in census.gpus}) == len(census.gpus)

    async def test_gpus_keep_their_order(self, gpus: Gpus) -> None:
        first, second = await gpus.read(), await gpus.read()

        assert [gpu.uuid for gpu in first.gpus] == [gpu.uuid for gpu in second.gpus]

    async def test_figures_have_their_units(self, gpus: Gpus) -> None:
        for gpu in (await gpus.read()).gpus:
            figures = gpu.figures
            assert figures is not None
            assert figures.utilisation is None or 0 <= figures.utilisation <= 1
            assert figures.memory is None or 0 <= figures.memory <= 1
            assert figures.memory_total_mib is None or figures.memory_total_mib > 100
            assert figures.temperature_c is None or 0 < figures.temperature_c < 150
            assert figures.power_w is None or 0 <= figures.power_w < 2_000
