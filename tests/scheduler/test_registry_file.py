"""The registry of models: what it says of instances, and of inputs that are too long."""

from pathlib import Path

import pytest

from pointsman.contracts.parts import Merge
from pointsman.scheduler.adapters.registry_file import RegistryError, RegistryFile
from pointsman.testing.servers import PROJECT

ENTRY = """
[[variant]]
model = "{model}"
family = "summarize"
quality = 0.5
memory_mib = 32.0
load_s = 0.1
slots = 1
service_s = 0.001
service_p99_s = 0.002
media_type = "text/plain"
{more}
"""


def registry(path: Path, *more: str) -> RegistryFile:
    entries = (ENTRY.format(model=f"m{n}", more=each) for n, each in enumerate(more))
    file = path / "registry.toml"
    file.write_text("".join(entries))
    return RegistryFile(file)


def test_a_variant_without_them_has_no_limit_and_no_rule(tmp_path: Path) -> None:
    (model,) = registry(tmp_path, "").models(at=0.0, applied_to=0)

    assert (model.max_input_bytes, model.merge) == (0, None)


def test_how_many_devices_one_instance_takes_is_read_and_is_one_where_nothing_is_said(
    tmp_path: Path,
) -> None:
    models = registry(tmp_path, "devices_per_instance = 2", "").models(at=0.0, applied_to=0)

    assert [model.devices_per_instance for model in models] == [2, 1]


def test_a_limit_and_a_rule_are_read(tmp_path: Path) -> None:
    said = 'max_input_bytes = 4096\nmerge = "vote"'

    (model,) = registry(tmp_path, said).models(at=0.0, applied_to=0)

    assert (model.max_input_bytes, model.merge) == (4096, Merge.VOTE)


@pytest.mark.parametrize(
    "said", ["max_input_bytes = -1", 'merge = "mix"', "devices_per_instance = 0"]
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(RegistryError):
        registry(tmp_path, said)


def test_variants_of_a_family_merge_by_one_rule(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="summarize name different rules"):
        registry(tmp_path, 'merge = "join"', "")


def test_the_sample_models_say_what_they_read_and_how_they_merge() -> None:
    models = RegistryFile(PROJECT / "infra/triton/registry.toml").models(at=0.0, applied_to=0)

    rules = {model.family: (model.max_input_bytes, model.merge) for model in models}

    assert rules["summarize"] == (96 * 1024, Merge.JOIN)
    assert rules["embed"] == (1024 * 1024, Merge.MEAN)
    assert rules["classify"] == (1024 * 1024, Merge.VOTE)
    assert rules["generate"] == (1024 * 1024, Merge.JOIN)
    assert rules["identity"] == (0, None)
