"""What each Python child of a stack is told; settings travel in the environment only."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pointsman.cli.stack.accounts import Account
from pointsman.cli.stack.data_directory import DataDirectory, blobs
from pointsman.cli.stack.leftovers import STACK_VARIABLE
from pointsman.cli.stack.plan import POOL, DeviceKind, DeviceTerms, StackPlan
from pointsman.cli.stack.project import Project, find_project
from pointsman.cli.stack.record import DeviceRecord
from pointsman.contracts.device_mode import DeviceMode

# What an operator may set for all services; everything else of ours is set here.
_PASSED_ON: Final = (
    "POINTSMAN_DEAD_LETTER_KEEP_DAYS",
    "POINTSMAN_DISK_BUDGET_MIB",
    "POINTSMAN_EXECUTOR_LOADABLE",
    "POINTSMAN_EXECUTOR_REPOSITORY",
    "POINTSMAN_LOG_",
    "POINTSMAN_OTLP_ENDPOINT",
    "POINTSMAN_PAYLOAD_KEEP_DAYS",
    "POINTSMAN_RESULT_KEEP_DAYS",
    "POINTSMAN_TELEMETRY",
    "POINTSMAN_WRITE_VERSIONS",
)


def services_environment(
    plan: StackPlan,
    directory: DataDirectory,
    accounts: Mapping[str, Account],
    nats_url: str,
    devices: Sequence[DeviceRecord],
) -> dict[str, str]:
    """The services process: it alone is told where the log lies."""
    passwords = {name: accounts[name].password for name in plan.services}
    return {
        **_inherited(plan.environment, directory.path),
        "POINTSMAN_NATS_URL": nats_url,
        "POINTSMAN_TOGETHER_SERVICES": ",".join(plan.services),
        "POINTSMAN_TOGETHER_PASSWORDS": json.dumps(passwords),
        "POINTSMAN_TOGETHER_POOLS": ",".join(plan.pool_names),
        "POINTSMAN_TOGETHER_SHARE_FEED": "true",
        "POINTSMAN_DATA": str(directory.path),
        "POINTSMAN_POOL": POOL,
        "POINTSMAN_REGISTRY": str(plan.project.registry),
        "POINTSMAN_ROUTING": str(plan.project.routing),
        **_policy(plan),
        "POINTSMAN_RESOURCE_MONITOR_METRICS": _metrics(devices),
    }


def service_environment(
    plan: StackPlan,
    directory: DataDirectory,
    accounts: Mapping[str, Account],
    nats_url: str,
    devices: Sequence[DeviceRecord],
    *,
    part: str,
    database_url: str,
) -> dict[str, str]:
    """One service in a process of its own, on a log in PostgreSQL."""
    service = plan.service_parts[part]
    return {
        **_inherited(plan.environment, directory.path),
        **_bus(accounts[service], nats_url),
        "POINTSMAN_DATA": str(directory.path),
        "POINTSMAN_DATABASE_URL": database_url,
        "POINTSMAN_POOL": plan.pool_of_part.get(part, POOL),
        "POINTSMAN_REGISTRY": str(plan.project.registry),
        "POINTSMAN_ROUTING": str(plan.project.routing),
        **_policy(plan),
        "POINTSMAN_RESOURCE_MONITOR_METRICS": _metrics(devices),
    }


def _policy(plan: StackPlan) -> dict[str, str]:
    return {} if plan.policy is None else {"POINTSMAN_POLICY": str(plan.policy)}


def executor_environment(
    plan: StackPlan,
    directory: DataDirectory,
    account: Account,
    nats_url: str,
    devices: Sequence[DeviceRecord],
) -> dict[str, str]:
    """The executor of an account: its pool's devices, blobs, no log, nothing that opens one."""
    pool = plan.executors[account.user]
    own = (f"{each.device}={each.endpoint}" for each in devices if each.pool == pool)
    environment = {
        **_without_database(_inherited(plan.environment, directory.path)),
        **_bus(account, nats_url),
        "POINTSMAN_EXECUTOR_NAME": account.user,
        "POINTSMAN_EXECUTOR_POOL": pool,
        "POINTSMAN_EXECUTOR_DEVICES": ",".join(own),
        "POINTSMAN_EXECUTOR_BLOBS": str(directory.blobs),
    }
    if plan.noop:
        environment["POINTSMAN_EXECUTOR_NOOP_VARIANTS"] = ",".join(plan.project.variants())
    environment |= _loading(plan.terms)
    if plan.terms.mode is not DeviceMode.FIXED:
        environment |= _loadable(plan.kind, plan.project)
    if plan.slots is not None:
        environment["POINTSMAN_EXECUTOR_SLOTS"] = str(plan.slots)
    if plan.max_batch is not None:
        environment["POINTSMAN_EXECUTOR_MAX_BATCH"] = str(plan.max_batch)
    return environment


def guest_environment(
    data: Path,
    name: str,
    account: Account,
    nats_url: str,
    device: DeviceRecord,
    terms: DeviceTerms,
) -> dict[str, str]:
    """An executor that joins a running stack with one device."""
    environment = {
        **_without_database(_inherited({}, data)),
        **_bus(account, nats_url),
        "POINTSMAN_EXECUTOR_NAME": name,
        "POINTSMAN_EXECUTOR_POOL": POOL,
        "POINTSMAN_EXECUTOR_DEVICES": f"{device.device}={device.endpoint}",
        "POINTSMAN_EXECUTOR_BLOBS": str(blobs(data)),
        **_loading(terms),
    }
    if device.kind == "noop":
        project = find_project()
        environment |= _loadable(device.kind, project)
        environment["POINTSMAN_EXECUTOR_NOOP_VARIANTS"] = ",".join(project.variants())
    return environment


def _loading(terms: DeviceTerms) -> dict[str, str]:
    if terms.mode is DeviceMode.FIXED:
        return {}
    return {
        "POINTSMAN_EXECUTOR_MODE": terms.mode.value,
        "POINTSMAN_EXECUTOR_MEMORY_MIB": str(terms.memory_mib),
    }


def _loadable(kind: DeviceKind, project: Project) -> dict[str, str]:
    if kind == "noop":
        times = project.load_times()
        declared = ",".join(f"{name}:{seconds:.3f}" for name, seconds in times.items())
        return {"POINTSMAN_EXECUTOR_NOOP_LOAD_S": declared}
    return {"POINTSMAN_EXECUTOR_REPOSITORY": str(project.models)} if kind == "triton" else {}


def _without_database(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def _inherited(added: Mapping[str, str], data: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("POINTSMAN_") or name.startswith(_PASSED_ON)
    }
    return {**kept, **added, STACK_VARIABLE: str(data)}


def _metrics(devices: Sequence[DeviceRecord]) -> str:
    return ",".join(f"{d.device}={d.metrics}" for d in devices if d.metrics)


def _bus(account: Account, nats_url: str) -> dict[str, str]:
    return {
        "POINTSMAN_NATS_URL": nats_url,
        "POINTSMAN_NATS_USER": account.user,
        "POINTSMAN_NATS_PASSWORD": account.password,
    }
