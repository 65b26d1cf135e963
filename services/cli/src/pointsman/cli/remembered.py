"""Options and checks that projects and conversations share."""

import re
from typing import Annotated

import typer

from pointsman.contracts.subjects import NAME_PATTERN, TENANT_PATTERN

Tenant = Annotated[str, typer.Option(help="Whose.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]


def checked_tenant(tenant: str) -> str:
    """Raises `typer.BadParameter`."""
    if re.match(TENANT_PATTERN, tenant) is None:
        raise typer.BadParameter(
            f"{tenant!r} is no tenant: lower-case letters, digits, - and _, at most 63, the first "
            "a letter or digit",
            param_hint="--tenant",
        )
    return tenant


def checked_name(name: str, option: str = "NAME") -> str:
    """Raises `typer.BadParameter`."""
    if re.match(NAME_PATTERN, name) is None:
        raise typer.BadParameter(
            f"{name!r} is no name: letters, digits, dots, - and _, at most 128, the first a letter "
            "or digit",
            param_hint=option,
        )
    return name


def checked_text(text: str, option: str, most: int, *, least: int = 0) -> str:
    """Raises `typer.BadParameter`."""
    if not least <= len(text.strip()) or len(text) > most:
        raise typer.BadParameter(f"{least} to {most} characters", param_hint=option)
    return text
