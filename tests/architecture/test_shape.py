"""Every service has the same inner shape, so that who knows one knows all."""

import ast
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, SERVICES, SHARED, package_of, parse

SHAPE = {"__init__.py", "__main__.py", "adapters", "handlers.py", "ports.py", "settings.py"}
DECIDES_NOTHING = {"executor"}
APPENDS_NOTHING = {"executor"}
# What a service's page consists of, as the beginnings of its lines.
PAGE = (
    r"\*\*Decides:\*\* ",
    r"\| subject in \| message \| what happens \| subject out \|",
    r"\*\*Stores:\*\* ",
    r"\*\*Settings\*\*",
    r"\*\*Alone:\*\* ",
    r"\*\*When it fails:\*\*",
)

services = pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
shared = pytest.mark.parametrize("package", SHARED, ids=lambda path: path.name)


def test_there_are_services_to_look_at() -> None:
    assert {"executor", "scheduler"} <= {service.name for service in SERVICES}


@services
def test_every_service_has_the_same_shape(service: Path) -> None:
    package = package_of(service)

    assert {path.name for path in package.iterdir()} >= SHAPE


@services
def test_a_service_has_a_domain_exactly_when_it_decides_something(service: Path) -> None:
    names = {path.name for path in package_of(service).iterdir()}

    has_domain = bool(names & {"domain.py", "domain"})

    assert has_domain is (service.name not in DECIDES_NOTHING)


@services
def test_a_services_init_is_one_docstring(service: Path) -> None:
    module = parse(package_of(service) / "__init__.py")

    assert ast.get_docstring(module)
    assert len(module.body) == 1


@shared
def test_a_shared_packages_init_defines_nothing_and_lists_what_it_re_exports(package: Path) -> None:
    (docstring, *statements) = parse(package / "__init__.py").body
    imported = {
        alias.asname or alias.name
        for node in statements
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    listed = {
        name
        for node in statements
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    }

    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, (ast.Assign, ast.ImportFrom)) for node in statements)
    assert listed == imported


@pytest.mark.parametrize(
    "folder",
    [*sorted((ROOT / "services").iterdir()), ROOT / "shared"],
    ids=lambda path: path.name,
)
def test_every_folder_of_code_explains_itself(folder: Path) -> None:
    assert (folder / "README.md").is_file()


@pytest.mark.parametrize(
    "package",
    [*SHARED, *(package_of(path) for path in sorted((ROOT / "services").iterdir()))],
    ids=lambda path: path.name,
)
def test_every_package_says_that_it_is_typed(package: Path) -> None:
    assert (package / "py.typed").is_file()


@services
def test_every_services_page_has_the_same_parts_in_the_same_order(service: Path) -> None:
    lines = (service / "README.md").read_text(encoding="utf-8").splitlines()

    found = [part for line in lines for part in PAGE if re.match(part, line)]

    assert lines[0] == f"# {service.name}"
    assert found == list(PAGE)


def test_the_services_that_append_to_the_log_are_the_entry_points_and_no_others() -> None:
    """Only what is registered can be run by ``python -m pointsman.cli.together``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {package_of(path).name for path in SERVICES if path.name not in APPENDS_NOTHING}

    assert project["project"]["entry-points"]["pointsman.services"] == {
        name: f"pointsman.{name}.__main__:SERVICE" for name in packages
    }


@services
def test_a_registered_service_bears_the_name_of_its_package(service: Path) -> None:
    name = package_of(service).name
    registered = {entry.name: entry for entry in entry_points(group="pointsman.services")}

    assert (name in registered) is (service.name not in APPENDS_NOTHING)
    assert name not in registered or registered[name].load().name == name


def test_the_namespace_stays_open() -> None:
    """One ``pointsman/__init__.py`` would hide every other service's package."""
    assert not [*ROOT.glob("shared/src/pointsman/__init__.py*")]
    assert not [*ROOT.glob("services/*/src/pointsman/__init__.py*")]
