"""`pointsman simulate` and the benchmarks of the decisions, as processes."""

import csv
import json
from pathlib import Path

import pytest

from pointsman.cli.failures import ExitCode
from tests.cli.command_line import CommandLine

FIELDS = {
    "policy",
    "parameters",
    "tasks",
    "mean_wait_s",
    "p50_wait_s",
    "p99_wait_s",
    "max_wait_s",
    "swaps_per_100",
    "utilization",
    "within_300s",
    "decisions_per_s",
    "peak_mib",
}


@pytest.fixture
def pointsman(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_a_generated_workload_is_simulated_under_any_policy(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.csv"

    made = pointsman.json("simulate", "generate", "--tasks", "300", "--out", str(trace))
    reports = {
        policy: pointsman.json("simulate", "--trace", str(trace), "--policy", policy)
        for policy in ("fifo", "pointsman")
    }

    assert made["tasks"] == 300
    for policy, report in reports.items():
        assert set(report) == FIELDS
        assert (report["policy"], report["tasks"]) == (policy, 300)
    assert reports["pointsman"]["mean_wait_s"] < reports["fifo"]["mean_wait_s"]


def test_a_wrong_trace_is_refused_with_its_line(pointsman: CommandLine, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,model,service_s\n1,a,2\n2,a,long\n")

    done = pointsman("simulate", "--trace", str(trace), "-o", "json")

    assert done.returncode == ExitCode.FAILURE
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "trace_value"
    assert error["message"] == "line 3: column 3, service_s, is 'long'"


def test_models_need_the_devices_and_the_memory_that_their_trace_says(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.csv"
    header = "arrival_s,model,service_s,devices_per_instance,memory_mib"
    trace.write_text(f"{header}\n0,wide,5,2,160000\n1,small,5,1,20000\n")
    asked = ("simulate", "--trace", str(trace), "--devices", "3", "-o", "json")

    fits = pointsman(*asked, "--memory-mib", "24576,81920,81920")
    too_large = pointsman(*asked, "--memory-mib", "24576")
    unclear = pointsman(*asked, "--memory-mib", "24576,81920")

    assert json.loads(fits.stdout)["parameters"]["memory_mib_least"] == 24_576.0
    assert json.loads(too_large.stdout)["error"]["code"] == "trace_too_large"
    assert json.loads(unclear.stdout)["error"]["code"] == "fleet_memory"
    assert (too_large.returncode, unclear.returncode) == (ExitCode.FAILURE, ExitCode.USAGE)


def test_a_missing_trace_and_an_unknown_policy_are_said(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    missing = pointsman("simulate", "--trace", str(tmp_path / "none.csv"), "-o", "json")
    unknown = pointsman("simulate", "--trace", "x", "--policy", "best")

    assert json.loads(missing.stdout)["error"]["code"] == "trace_missing"
    assert (missing.returncode, unknown.returncode) == (ExitCode.NOT_FOUND, ExitCode.NOT_FOUND)
    assert "[policy_missing]" in unknown.stderr
    assert pointsman("simulate").returncode == ExitCode.USAGE


def test_a_file_sets_our_policy_and_a_wrong_one_is_refused(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    trace, policy, wrong = (tmp_path / name for name in ("t.csv", "ours.toml", "wrong.toml"))
    trace.write_text("arrival_s,model,service_s\n0,a,1\n1,b,1\n")
    policy.write_text("swap_share = 0.2\n")
    wrong.write_text("swap_share = 2\n")

    report = pointsman.json("simulate", "--trace", str(trace), "--policy", str(policy))
    refused = pointsman("simulate", "--trace", str(trace), "--policy", str(wrong), "-o", "json")

    assert report["policy"] == "pointsman"
    assert report["parameters"]["swap_share"] == 0.2
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "policy_value"
    assert error["message"].startswith(f"policy file {wrong}: ")


def test_tasks_that_expire_are_said_beside_the_figures(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,model,service_s,deadline_s\n0,a,1,2\n")

    done = pointsman("simulate", "--trace", str(trace), "-o", "json")

    assert set(json.loads(done.stdout)) == FIELDS
    assert "1 tasks could not meet their deadline" in done.stderr


def test_a_published_trace_is_converted_and_says_what_was_computed(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    source, out = tmp_path / "published.csv", tmp_path / "trace.csv"
    source.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,400,40\n")

    done = pointsman("simulate", "convert", str(source), "--from", "azure", "--out", str(out))

    assert done.returncode == ExitCode.OK
    assert "not measured" in done.stderr
    (row,) = csv.DictReader(out.read_text().splitlines())
    assert float(row["service_s"]) == pytest.approx(1.1)


def test_the_decisions_are_benchmarked_by_themselves(pointsman: CommandLine) -> None:
    speed = pointsman.json("bench", "scheduler", "--queued", "100", "--steps", "200")
    policy = pointsman.json("bench", "policy", "--seeds", "1", "--tasks", "200")
    fair = pointsman.json("bench", "fairness", "--tasks", "50")

    assert speed["steps_per_s"] > 0
    assert [factor["load"] for factor in policy["factors"]] == [1.0, 2.0, 4.0]
    assert "drawn" in policy["simulated"]
    assert fair["light"]["p99_latency_s"] <= fair["light"]["bound_s"]
