"""The Dockerfile and what a build sees, read without a container engine."""

import re
from fnmatch import fnmatch

import pytest

from tests.architecture.source_tree import ROOT

DOCKERFILE = (ROOT / "infra/docker/Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def reaches_the_build(path: str) -> bool:
    """Whether .dockerignore lets a path through: the last pattern that fits it decides."""
    parts = path.split("/")
    own_and_parents = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    ignored = False
    for line in IGNORED:
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            names = [*own_and_parents, *(f"/{name}" for name in own_and_parents)]
            if any(fnmatch(name, pattern) for name in names):
                ignored = not line.startswith("!")
    return not ignored


def test_the_image_is_built_from_a_python_with_a_version_in_two_stages() -> None:
    stages = re.findall(r"^FROM (\S+)( AS \w+)?$", DOCKERFILE, re.MULTILINE)

    assert [name for name, _ in stages] == ["python:3.12-slim-bookworm"] * 2
    assert stages[0][1] == " AS build"
    assert stages[1][1] == ""


def test_the_image_installs_by_hash_and_runs_without_root() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]

    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"install --no-index --find-links /wheels \.", DOCKERFILE)
    assert re.findall(r"^USER (.+)$", last_stage, re.MULTILINE) == ["10001:10001"]
    assert 'ENTRYPOINT ["python", "-P", "-m"]' in last_stage


def test_a_build_sees_what_the_dockerfile_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for group in copied for source in group.split()]

    assert sources
    assert all((ROOT / source).exists() for source in sources)
    assert all(reaches_the_build(source) for source in sources)
    assert reaches_the_build("services/cli/src/pointsman/cli/app.py")


@pytest.mark.parametrize(
    "path", [".env", ".git/config", ".pointsman/stack.json", ".venv/bin/python", "infra/triton"]
)
def test_a_build_sees_no_passwords_data_or_environments(path: str) -> None:
    assert not reaches_the_build(path)
