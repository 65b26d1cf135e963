"""`python -m pointsman.time_machine`: one JSON document, a report or an error, and the end.

Run by `pointsman simulate` and `pointsman bench scheduler|policy`, which show the report.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Final

from pointsman.policy.parameters import ParametersError
from pointsman.runtime.errors import FatalError
from pointsman.time_machine.comparison import compare
from pointsman.time_machine.core_bench import STEPS, bench_core
from pointsman.time_machine.fairness import measure_fairness
from pointsman.time_machine.figures import figures_of
from pointsman.time_machine.log_verbs import add_log_verbs
from pointsman.time_machine.peak_memory import peak_mib
from pointsman.time_machine.policies import Fleet, parameters_of, simulate
from pointsman.time_machine.policy_files import read_policy
from pointsman.time_machine.token_traces import COMPUTED, LAYOUTS, Served, convert
from pointsman.time_machine.trace_reading import read_trace_file
from pointsman.time_machine.traces import TracedTask, TraceError, write_trace
from pointsman.time_machine.workload import Workload, generate

_FAILED: Final = 1
_INTERRUPTED: Final = 130
_DEFAULT: Final = Workload()


def _simulate(asked: argparse.Namespace) -> dict[str, object]:
    policy, parameters = read_policy(asked.policy)
    trace = read_trace_file(_source(asked.trace))
    fleet = Fleet(asked.devices, asked.slots, _memory_mib(asked.memory_mib, asked.devices))
    outcome = simulate(trace, policy=policy, fleet=fleet, parameters=parameters)
    figures = figures_of(
        outcome,
        policy=policy,
        parameters=parameters_of(policy, fleet, parameters),
        slots=fleet.devices * fleet.slots,
    )
    notes = [f"{outcome.expired} tasks could not meet their deadline and did not run"]
    report = {**figures, "peak_mib": peak_mib()}
    return {"report": report, "notes": notes if outcome.expired else []}


def _memory_mib(text: str, devices: int) -> tuple[float, ...]:
    """One figure for all devices, or one for each."""
    try:
        given = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        given = (0.0,)
    if not all(0 < mib < inf for mib in given) or len(given) not in {0, 1, devices}:
        raise ParametersError(
            f"--memory-mib {text} is neither one number above 0 nor {devices}, one for each device",
            code="fleet_memory",
            next_step="give MiB, with commas between: 24576,24576,49152,81920",
        )
    return given * devices if len(given) == 1 else given


def _generate(asked: argparse.Namespace) -> dict[str, object]:
    workload = Workload(seed=asked.seed, tasks=asked.tasks, devices=asked.devices)
    return _written(generate(workload), asked.out, notes=[])


def _convert(asked: argparse.Namespace) -> dict[str, object]:
    served = Served(
        model=asked.model,
        input_tokens_per_s=asked.input_tokens_per_s,
        output_tokens_per_s=asked.output_tokens_per_s,
    )
    with _source(asked.source).open(encoding="utf-8-sig", newline="") as lines:
        trace = convert(asked.layout, lines, served)
    return _written(trace, asked.out, notes=[COMPUTED])


def _compare(asked: argparse.Namespace) -> dict[str, object]:
    workload = Workload(tasks=asked.tasks, devices=asked.devices)
    seeds = range(1, asked.seeds + 1)
    return {"report": compare(workload, seeds=seeds, loads=(1.0, 2.0, 4.0)), "notes": []}


def _bench(asked: argparse.Namespace) -> dict[str, object]:
    figures = bench_core(asked.queued, asked.steps)
    return {"report": {**figures, "peak_mib": peak_mib()}, "notes": []}


def _fairness(asked: argparse.Namespace) -> dict[str, object]:
    report = measure_fairness(seed=asked.seed, light_tasks=asked.tasks, devices=asked.devices)
    return {"report": report, "notes": []}


def _source(path: Path) -> Path:
    if not path.exists():
        raise TraceError(
            f"there is no file {path}",
            code="trace_missing",
            line=0,
            next_step="name an existing file",
        )
    return path


def _written(trace: list[TracedTask], out: Path, *, notes: list[str]) -> dict[str, object]:
    with out.open("w", encoding="utf-8", newline="") as file:
        write_trace(trace, file)
    report = {
        "out": str(out),
        "tasks": len(trace),
        "models": len({task.model for task in trace}),
        "seconds": round(trace[-1].arrival_s, 3),
    }
    return {"report": report, "notes": notes}


def _code(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "trace_missing"
        case IsADirectoryError() | NotADirectoryError():
            return "not_a_file"
        case PermissionError():
            return "not_permitted"
        case _:
            return "trace_unreadable"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pointsman.time_machine")
    verbs = parser.add_subparsers(required=True)

    def verb(name: str, run: Callable[[argparse.Namespace], object]) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name)
        sub.set_defaults(run=run)
        return sub

    simulated = verb("simulate", _simulate)
    simulated.add_argument("--trace", type=Path, required=True)
    simulated.add_argument("--devices", type=int, required=True)
    simulated.add_argument("--slots", type=int, default=1)
    simulated.add_argument("--memory-mib", default="")
    simulated.add_argument("--policy", required=True)
    generated = verb("generate", _generate)
    generated.add_argument("--seed", type=int, default=1)
    generated.add_argument("--out", type=Path, required=True)
    converted = verb("convert", _convert)
    converted.add_argument("--layout", choices=list(LAYOUTS), required=True)
    converted.add_argument("--source", type=Path, required=True)
    converted.add_argument("--out", type=Path, required=True)
    converted.add_argument("--model", required=True)
    converted.add_argument("--input-tokens-per-s", type=float, required=True)
    converted.add_argument("--output-tokens-per-s", type=float, required=True)
    compared = verb("compare", _compare)
    compared.add_argument("--seeds", type=int, default=5)
    for drawing in (generated, compared):
        drawing.add_argument("--tasks", type=int, default=_DEFAULT.tasks)
        drawing.add_argument("--devices", type=int, default=_DEFAULT.devices)
    fair = verb("fairness", _fairness)
    fair.add_argument("--seed", type=int, default=1)
    fair.add_argument("--tasks", type=int, required=True)
    fair.add_argument("--devices", type=int, default=_DEFAULT.devices)
    benched = verb("bench", _bench)
    benched.add_argument("--queued", type=int, required=True)
    benched.add_argument("--steps", type=int, default=STEPS)
    add_log_verbs(verb)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the status is 1 where the input cannot be used."""
    asked = _arguments().parse_args(arguments)
    try:
        said: dict[str, object] = asked.run(asked)
    except (TraceError, ParametersError, FatalError) as error:
        message = str(error).removesuffix(error.next_step).strip()
        said = {"error": {"code": error.code, "message": message, "next_step": error.next_step}}
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        said = {
            "error": {
                "code": _code(error),
                "message": f"{error.filename or 'a file'} cannot be used: {reason}",
                "next_step": "name a file that can be read, and one that can be written",
            }
        }
    except UnicodeDecodeError:
        said = {
            "error": {
                "code": "trace_unreadable",
                "message": "the file is not UTF-8",
                "next_step": "save it as UTF-8",
            }
        }
    sys.stdout.write(json.dumps(said) + "\n")
    return _FAILED if "error" in said else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        # Who asked was interrupted as well, and says so.
        sys.exit(_INTERRUPTED)
