"""A pool of devices that load on demand, from a snapshot at any moment."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.events import DeviceMode
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.snapshot.facts import facts_of, restore
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy, decode_facts, decode_tasks
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.scheduling import folded


def lively_day() -> LoadingWorld:
    wide = loading_model("wide", devices=2)
    models = [loading_model("a"), loading_model("b"), loading_model("c", load_s=5.0), wide]
    devices = {
        "gpu-0": DeviceMode.DEDICATED,
        "gpu-1": DeviceMode.DEDICATED,
        "gpu-2": DeviceMode.SHARED,
    }
    world = LoadingWorld(models, devices, memory_mib=220.0, verify=False)
    world.unload_s = {"a": 1.3, "c": 0.7}
    for n in range(60):
        world.submit(
            "aabbbc"[n % 6] if n % 15 else "wide",
            at_s=4.0 * n,
            run_s=3.0 + n % 20,
            tenant=f"tenant-{n % 3}",
            deadline_in_s=300.0 if n % 5 == 0 else None,
        )
    world.run()
    return world


ENTRIES = lively_day().history.entries


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, len(ENTRIES)), later_s=st.sampled_from([0.0, 7.0, 100.0, 1_000.0]))
def test_it_decides_as_the_fold_of_the_log_does(cut: int, later_s: float) -> None:
    known, at = folded(ENTRIES[:cut]), ENTRIES[cut - 1].event.at + later_s

    pool = copied(known)

    assert facts_of(pool) == facts_of(known)
    assert decide_round(pool, at=at) == decide_round(known, at=at)


def copied(known: Pool) -> Pool:
    copy, pool = PoolCopy(known), Pool("main")
    slices: list[bytes] = []
    while (body := copy.next(7)) is not None:
        slices.append(body)
    copy.end()
    tasks = [task for body in slices for task in decode_tasks(body, pool.words)]
    restore(pool, decode_facts(copy.facts), tasks)
    return pool
