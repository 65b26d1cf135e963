"""Every part of a stack is killed at random moments, and its log is judged against its clients."""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.chaos import chaos
from tests.chaos.options import Options, Store
from tests.e2e.live_stack import show

MINUTES: Final[dict[Store, float]] = {"sqlite": 1.0, "postgresql": 2.0}
"""Of faults; `./dev chaos --minutes 60` is the same for longer."""
SHARE: Final = float(os.environ.get("POINTSMAN_CHAOS_SHARE", "1"))
"""Of these minutes."""
EVERY_S: Final = 5.0


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
async def test_nothing_is_lost_doubled_or_stuck_whatever_is_killed(
    tmp_path: Path, store: Store
) -> None:
    said: list[str] = []

    judged = await chaos(
        Options(
            minutes=SHARE * MINUTES[store], seed=1, store=store, every_s=EVERY_S, kept=tmp_path
        ),
        said.append,
    )

    figures = judged.record["recovery"]
    show(
        test="chaos",
        **{name: judged.record[name] for name in ("command", "faults", "kills", "tasks", "found")},
        recovery=figures,
    )
    assert not judged.outcome.found, "\n".join(said)
