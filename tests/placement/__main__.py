"""`./dev placement`: a generated trace through four local Tritons, and what its simulation says.

The models are stand-ins that wait as long as is declared; everything else is real: the services,
the log, the bus, the executor and Triton's model control. Time is scaled: runs and loads of the
trace take a fraction of their seconds, and the simulation is told the policy in the trace's
seconds. Waits are acceptance to the beginning of the run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Final

from pointsman.time_machine.policies import Fleet, simulate
from tests.placement.running import Measured, least_change_s, run_trace
from tests.placement.trace import DEVICES, Scale, short_trace, with_loads

BAR: Final = 0.15
"""How far from the simulation the mean and the 90th percentile may be."""


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _p90(waits_s: list[float]) -> float:
    return sorted(waits_s)[int(0.9 * len(waits_s))]


def _compared(measured: Measured, simulated_s: list[float], loads: int) -> dict[str, object]:
    real = list(measured.waits_s)
    rows = {
        name: {
            "measured_s": round(of(real), 3),
            "simulated_s": round(of(simulated_s), 3),
            "ratio": round(of(real) / of(simulated_s), 3),
        }
        for name, of in (("mean_wait", fmean), ("p90_wait", _p90))
    }
    within = all(abs(float(row["ratio"]) - 1) <= BAR for row in rows.values())
    return {
        **rows,
        "loads": {"measured": measured.loads, "simulated": loads},
        "mean_load_s": round(measured.load_s, 3),
        "latest_submission_s": round(measured.late_s, 3),
        "within_15_percent": within,
    }


async def _run(asked: argparse.Namespace) -> int:
    scale = Scale(asked.scale)
    with tempfile.TemporaryDirectory(prefix="pointsman-placement-") as directory:
        least_s = await least_change_s(Path(directory), _say)
    _say(f"a change of two stand-ins without a declared delay takes {least_s:.3f} s")
    runs: list[dict[str, object]] = []
    for seed in range(asked.seed, asked.seed + asked.runs):
        trace = with_loads(short_trace(seed, asked.tasks, asked.models), least_s * scale.factor)
        fleet = Fleet(DEVICES)
        outcome = simulate(trace, policy="pointsman", fleet=fleet, parameters=scale.stretched())
        with tempfile.TemporaryDirectory(prefix="pointsman-placement-") as directory:
            measured = await run_trace(trace, scale, Path(directory), least_s=least_s, say=_say)
        simulated_s = [scale.shorter(wait) for wait in outcome.waits_s]
        runs.append({"seed": seed, **_compared(measured, simulated_s, outcome.swaps)})
        _say(json.dumps(runs[-1]))
    report = {
        "devices": DEVICES,
        "models": asked.models,
        "tasks": asked.tasks,
        "scale": asked.scale,
        "least_change_s": round(least_s, 3),
        "stand_ins": "the models wait their declared times and compute nothing",
        "runs": runs,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if all(run["within_15_percent"] for run in runs) else 1


def main() -> int:
    """Three runs of some minutes; the status is 1 where one is further from the simulation."""
    parser = argparse.ArgumentParser(prog="python -m tests.placement", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--scale", type=float, default=15.0)
    return asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
