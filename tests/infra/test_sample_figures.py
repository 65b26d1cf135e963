"""The figures and weights that are committed beside the sample models."""

import subprocess
import sys
import tomllib

import pytest

from pointsman.testing.servers import PROJECT, SAMPLE_MODELS, triton_here

TRITON = PROJECT / "infra" / "triton"


def check(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TRITON / script), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_registry_names_exactly_the_models_of_the_repository() -> None:
    registry = tomllib.loads((TRITON / "registry.toml").read_text())

    registered = sorted(variant["model"] for variant in registry["variant"])

    assert registered == sorted(path.name for path in SAMPLE_MODELS.iterdir() if path.is_dir())


def test_training_again_gives_the_committed_weights() -> None:
    checked = check("train_classifier.py")

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.triton
def test_measuring_again_gives_the_registered_qualities() -> None:
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))

    checked = check("measure.py")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count(": ok") == sum(path.is_dir() for path in SAMPLE_MODELS.iterdir())
