"""Measure the sample models through a real Triton, and write down what was measured.

    .venv/bin/python infra/triton/measure.py [--check] [--only FAMILY]

Rewrites `registry.toml` and `docs/sample-models.md`. `--only` leaves the figures of other families
as they are. `--check` measures the qualities again, which
do not depend on the machine, and compares them with the registry; it writes nothing.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from pointsman_samples import corpus, quality
from pointsman_samples.registry import (
    Circumstances,
    Variant,
    calls_per_s_of,
    in_order,
    load,
    page,
    registry,
    row_of,
)

from pointsman.runtime.servers import LocalTriton, ServerMissingError
from pointsman.testing.inference import InferenceClient, inference_client
from pointsman.testing.servers import PROJECT, triton
from pointsman.testing.waiting import wait_until

HERE: Final = Path(__file__).resolve().parent

DESCRIPTION: Final = "Measure the sample models and write down the figures."
REGISTRY: Final = HERE / "registry.toml"
PAGE: Final = PROJECT / "docs" / "sample-models.md"

MAX_TEXT_BYTES: Final = 1024 * 1024
"""What the models refuse to read more of; see `pointsman_samples.serving`."""
MAX_SUMMARY_BYTES: Final = 96 * 1024
"""1 000 sentences of about 98 bytes: what the summarisers read."""

CALLS: Final = 500
LOADS: Final = 3
CLIENTS: Final = 8
# Qualities are means over fixed texts; only rounding in the last bits can differ between machines.
TOLERANCE: Final = 0.005


@dataclass(frozen=True)
class Family:
    """How the models of one family are measured; ``payloads`` are what the times are taken with."""

    models: tuple[str, ...]
    quality: Callable[[quality.Ask], Awaitable[float]]
    payloads: tuple[bytes, ...]
    media_type: str
    streams: bool = False
    """Its models send their answers in pieces; times are taken to the last one."""
    max_input_bytes: int = MAX_TEXT_BYTES
    merge: str = ""


def families() -> dict[str, Family]:
    documents = tuple(one.text.encode() for one in corpus.documents(quality.SEED, 50))
    texts = tuple(one.text.encode() for one in corpus.labelled_texts(quality.SEED, 50))
    return streaming_families(documents) | {
        "classify": Family(
            ("classify_linear", "classify_lexicon"),
            quality.label_quality,
            texts,
            "application/json",
            merge="vote",
        ),
        "embed": Family(
            ("embed_hashed",),
            quality.embedding_quality,
            texts,
            "application/octet-stream",
            merge="mean",
        ),
        "identity": Family(
            ("identity",),
            quality.identity_quality,
            (b"\x01" * 1024,),
            "application/octet-stream",
            max_input_bytes=0,
        ),
        "summarize": Family(
            ("summarize_hashed", "summarize_tfidf", "summarize_lead"),
            quality.summary_quality,
            documents,
            "text/plain; charset=utf-8",
            max_input_bytes=MAX_SUMMARY_BYTES,
            merge="join",
        ),
    }


def streaming_families(documents: Sequence[bytes]) -> dict[str, Family]:
    return {
        "cluster": Family(
            ("cluster_hashed",),
            quality.cluster_quality,
            tuple(lines.encode() for lines, _ in quality.mixed_lines(2)),
            "application/json",
            streams=True,
        ),
        "generate": Family(
            ("generate_order4", "generate_bigram"),
            quality.text_quality,
            tuple(document[: document.index(b".") + 1] for document in documents),
            "text/plain; charset=utf-8",
            streams=True,
            merge="join",
        ),
    }


class Bench:
    """Asks one model of a running Triton for answers, times and memory."""

    def __init__(
        self, server: LocalTriton, client: InferenceClient, model: str, *, streams: bool
    ) -> None:
        self.server = server
        self.client = client
        self.model = model
        self.streams = streams

    async def ask(self, payload: bytes, /, **parameters: int) -> bytes:
        if not self.streams:
            return await self.client.infer(self.model, payload, parameters=parameters)
        pieces = self.client.stream(self.model, payload, parameters=parameters)
        return b"".join([piece async for piece in pieces])

    async def call_times_s(self, payloads: Sequence[bytes]) -> list[float]:
        """Time ``CALLS`` calls, one after the other; sorted."""
        times: list[float] = []
        for i in range(CALLS):
            began = time.perf_counter()
            await self.ask(payloads[i % len(payloads)])
            times.append(time.perf_counter() - began)
        return sorted(times)

    async def calls_per_s(self, payloads: Sequence[bytes]) -> float:
        """Answered calls per second while ``CLIENTS`` clients call in closed loops."""

        async def client(first: int) -> None:
            for i in range(first, CALLS, CLIENTS):
                await self.ask(payloads[i % len(payloads)])

        began = time.perf_counter()
        await asyncio.gather(*(client(first) for first in range(CLIENTS)))
        return CALLS / (time.perf_counter() - began)

    async def load_s(self) -> float:
        """Median time that Triton takes to load the model; it is loaded afterwards."""
        times: list[float] = []
        for _ in range(LOADS):
            await self.client.unload(self.model)
            # The answer comes before the processes are gone, which would slow down the next load.
            await wait_until(lambda: not self.processes(), message=f"{self.model} is unloaded")
            began = time.perf_counter()
            await self.client.load(self.model)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    def processes(self) -> list[psutil.Process]:
        """The processes that run the model, one per instance."""
        model_file = f"/{self.model}/1/model.py"
        found: list[psutil.Process] = []
        for child in psutil.Process(self.server.pid).children(recursive=True):
            with suppress(psutil.Error):  # it may end while we look
                if any(argument.endswith(model_file) for argument in child.cmdline()):
                    found.append(child)
        return found

    def memory_mib(self) -> float:
        """Sum of the proportional set sizes of the model's processes."""
        return sum(process.memory_full_info().pss for process in self.processes()) / 2**20


async def measured_variant(bench: Bench, name: str, family: Family) -> Variant:
    """Measure everything that the registry says about one model."""
    measured = await family.quality(bench.ask)
    times = await bench.call_times_s(family.payloads)
    return Variant(
        model=bench.model,
        family=name,
        quality=round(measured, 3),
        memory_mib=round(bench.memory_mib(), 1),
        slots=len(bench.processes()),
        service_s=round(statistics.median(times), 5),
        service_p99_s=round(times[int(len(times) * 0.99)], 5),
        load_s=round(await bench.load_s(), 2),
        media_type=family.media_type,
        max_input_bytes=family.max_input_bytes,
        merge=family.merge,
    )


@asynccontextmanager
async def benches(tmp: Path, models: Sequence[str]) -> AsyncGenerator[list[Bench]]:
    """Run a Triton with ``models``."""
    streaming = {
        model for family in families().values() if family.streams for model in family.models
    }
    async with triton(tmp, models) as server, inference_client(server.grpc_address) as client:
        yield [Bench(server, client, model, streams=model in streaming) for model in models]


async def measure_all(tmp: Path, wanted: Mapping[str, Family]) -> None:
    """Measure every wanted model, one server for each, and write the registry and the page."""
    variants = [variant for variant in load(REGISTRY) if variant.family not in wanted]
    calls_per_s = calls_per_s_of(PAGE.read_text()) if variants else {}
    version = ""
    for name, family in wanted.items():
        for model in family.models:
            async with benches(tmp / model, [model]) as (bench,):
                calls_per_s[model] = round(await bench.calls_per_s(family.payloads))
                variants.append(await measured_variant(bench, name, family))
                version = await bench.server.version()
            print(variants[-1])
    circumstances = Circumstances(
        triton=version,
        cores=os.cpu_count() or 1,
        documents=quality.DOCUMENTS,
        labelled=quality.LABELLED,
        pairs=quality.PAIRS,
        held_out=quality.HELD_OUT,
        lines=quality.MIXED * quality.MIXED_LINES,
    )
    REGISTRY.write_text(registry(variants))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(variants, circumstances, calls_per_s=calls_per_s))
    print(f"wrote {REGISTRY} and {PAGE}")


async def compare_all(tmp: Path) -> bool:
    """Measure the qualities again; True when the registry and the page say the same."""
    registered = {variant.model: variant for variant in load(REGISTRY)}
    same = True
    async with benches(tmp, list(registered)) as all_of_them:
        for bench in all_of_them:
            variant = registered[bench.model]
            measured = await families()[variant.family].quality(bench.ask)
            agrees = abs(measured - variant.quality) <= TOLERANCE
            same = same and agrees
            verdict = "ok" if agrees else "DIFFERS: run measure.py"
            print(
                f"{bench.model}: registered {variant.quality}, measured {measured:.3f}: {verdict}"
            )
    rows = PAGE.read_text() if PAGE.exists() else ""
    for variant in in_order(list(registered.values())):
        if row_of(variant) not in rows:
            print(f"{PAGE.name} does not show the registry's figures of {variant.model}")
            same = False
    return same


def main() -> int:
    arguments = argparse.ArgumentParser(description=DESCRIPTION)
    arguments.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments.add_argument("--only", choices=sorted(families()), help="measure one family")
    given = arguments.parse_args()
    wanted = families() if given.only is None else {given.only: families()[given.only]}
    with tempfile.TemporaryDirectory() as tmp:
        try:
            if given.check:
                return 0 if asyncio.run(compare_all(Path(tmp))) else 1
            asyncio.run(measure_all(Path(tmp), wanted))
        except ServerMissingError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
