"""Every service has the same inner shape, so that who knows one knows all."""

import ast
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, SERVICES, SHARED, package_of, parse

SHAPE = {"__init__.py", "__main__.py", "adapters", "handlers.py", "ports.py", "settings.py"}
DECIDES_NOTHING = {"executor"}

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


def test_the_namespace_stays_open() -> None:
    """One ``pointsman/__init__.py`` would hide every other service's package."""
    assert not [*ROOT.glob("shared/src/pointsman/__init__.py*")]
    assert not [*ROOT.glob("services/*/src/pointsman/__init__.py*")]
