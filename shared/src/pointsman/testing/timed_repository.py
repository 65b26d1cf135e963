"""A repository of models that stand in for others: they wait as long as they are told, no more.

For measurements of how models share devices, where only the times matter: each model of the family
`timed` waits its declared delay while it is loaded and the seconds of the request parameter `run_s`
while it runs, and gives the payload back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.testing.servers import PROJECT, SAMPLE_MODELS, TRITON_ENVIRONMENT

FAMILY: Final = "timed"

_STAND_IN: Final = PROJECT / "infra" / "triton" / "stand_ins" / "timed_wait"
_NO_DELAY: Final = 'string_value: "0"'
_CANARY: Final = "identity"


@dataclass(frozen=True, slots=True)
class TimedModel:
    """A stand-in with the times that are declared for it, in seconds."""

    name: str
    load_s: float
    service_s: float
    """Of a call, for the registry; what a call really takes is its `run_s`."""
    memory_mib: float = 1.0
    family: str = FAMILY


def numbered_models(
    count: int, *, load_s: float = 0.0, service_s: float = 0.1, family_each: bool = False
) -> list[TimedModel]:
    """Return `m00`, `m01`, ...: all with the same declared times, in one family or one each."""
    width = len(str(count - 1))
    names = [f"m{number:0{max(2, width)}}" for number in range(count)]
    return [
        TimedModel(name, load_s, service_s, family=name if family_each else FAMILY)
        for name in names
    ]


def write_timed_models(repository: Path, models: Sequence[TimedModel]) -> None:
    """Write a model repository of the stand-ins and of the `identity` model, which is the canary.

    Nothing is copied but configurations: the code is linked from this checkout.
    """
    config = (_STAND_IN / "config.pbtxt").read_text()
    for model in models:
        directory = repository / model.name
        (directory / "1").mkdir(parents=True)
        (directory / "1" / "model.py").symlink_to(_STAND_IN / "1" / "model.py")
        (directory / "config.pbtxt").write_text(
            config.replace(_STAND_IN.name, model.name).replace(
                _NO_DELAY, f'string_value: "{model.load_s:g}"'
            )
        )
    (repository / _CANARY).symlink_to(SAMPLE_MODELS / _CANARY)


def write_timed_project(root: Path, models: Sequence[TimedModel]) -> None:
    """Write what a stack reads of a checkout (`pointsman.cli.stack.project.Project(root)`)."""
    triton = root / "infra" / "triton"
    write_timed_models(triton / "models", models)
    (triton / "registry.toml").write_text(timed_registry(models))
    (root / "infra" / "routing").symlink_to(PROJECT / "infra" / "routing")
    (root / TRITON_ENVIRONMENT.name).symlink_to(TRITON_ENVIRONMENT)


def timed_registry(models: Sequence[TimedModel]) -> str:
    """Return the text of a registry file of the stand-ins, with their declared times."""
    head = "# Stand-ins: they wait the times that are declared here, nothing was measured.\n"
    return head + "".join(_table(model) for model in models)


def _table(model: TimedModel) -> str:
    return f"""
[[variant]]
model = "{model.name}"
family = "{model.family}"
quality = 1.0
memory_mib = {model.memory_mib}
load_s = {model.load_s}
slots = 1
service_s = {model.service_s}
service_p99_s = {model.service_s}
media_type = "application/octet-stream"
"""
