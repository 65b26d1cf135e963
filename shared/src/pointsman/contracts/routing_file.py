"""The routing file and the labelled routing set: TOML and JSON lines that people write."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pointsman.contracts.events.routing import (
    DeviceTier,
    DomainRule,
    FamilyRule,
    QualityTier,
    RoutingChanged,
)
from pointsman.contracts.routing import AUTO
from pointsman.contracts.submission import Name

MAX_DOMAINS = 32
"""All of them stand in each task that was routed."""


class InvalidRoutingError(ValueError):
    """Whoever maintains the file must correct it; the message says where."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Family(_Entry):
    name: Name
    simple_below: float = Field(ge=1.0)
    complex_from: float = Field(ge=1.0)
    output_tokens: int = Field(ge=0)
    tiers: tuple[Name, Name, Name]
    small_first: bool = False
    least_quality: float = Field(default=0.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _bands_in_order(self) -> Self:
        if self.simple_below >= self.complex_from:
            message = f"family {self.name}: simple_below must be less than complex_from"
            raise ValueError(message)
        return self


class _Device(_Entry):
    name: Name
    memory_mib: float = Field(gt=0.0)
    tokens_per_s: float = Field(gt=0.0)


class _Tier(_Entry):
    name: Name
    device: Name
    price_per_hour_usd: float = Field(ge=0.0)
    faster_than_cpu: float = Field(gt=0.0)


class _Domain(_Entry):
    name: Name
    family: Name
    least_tier: Name | None = None
    keywords: tuple[str, ...] = ()
    prototypes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)


class RoutingFile(_Entry):
    """What the file says, checked."""

    family: tuple[_Family, ...] = ()
    device: tuple[_Device, ...] = ()
    tier: tuple[_Tier, ...] = ()
    domain: tuple[_Domain, ...] = Field(default=(), max_length=MAX_DOMAINS)

    @model_validator(mode="after")
    def _names_mean_something(self) -> Self:
        for what, entries in (
            ("family", self.family),
            ("device", self.device),
            ("tier", self.tier),
            ("domain", self.domain),
        ):
            _require_unique(what, [entry.name for entry in entries])
        _require_known("device", {device.name for device in self.device}, _devices_named(self))
        _require_known("tier", {tier.name for tier in self.tier}, _tiers_named(self))
        families = {entry.name for entry in self.family} | {entry.family for entry in self.domain}
        if AUTO in families:
            message = f"{AUTO!r} stands for any family; none can have that name"
            raise ValueError(message)
        return self

    @property
    def prototypes(self) -> Mapping[str, tuple[str, ...]]:
        """By domain."""
        return {domain.name: domain.prototypes for domain in self.domain}

    def event(self, *, pool: str, version: str, at: float, applied_to: int) -> RoutingChanged:
        """The file as the log holds it."""
        return RoutingChanged(
            at=at,
            applied_to=applied_to,
            pool=pool,
            version=version,
            families=tuple(
                FamilyRule(family=entry.name, **entry.model_dump(exclude={"name"}))
                for entry in self.family
            ),
            devices=tuple(DeviceTier(**entry.model_dump()) for entry in self.device),
            tiers=tuple(QualityTier(**entry.model_dump()) for entry in self.tier),
            domains=tuple(
                DomainRule(
                    domain=entry.name, family=entry.family, least_tier=entry.least_tier or ""
                )
                for entry in self.domain
            ),
        )


class LabelledTask(_Entry):
    """One task of the labelled routing set, with what its author holds to be right."""

    text: str = Field(min_length=1)
    attached_bytes: int = Field(default=0, ge=0)
    """Length of the document that would follow; its words are not in the set."""
    max_tokens: int = Field(default=0, ge=0)
    """The parameter of that name; 0: not given."""
    domain: Name
    family: Name
    band: str = Field(pattern="^(simple|medium|complex)$")
    device: Name
    split: str = Field(pattern="^(train|test)$")


def parse_routing(text: str) -> RoutingFile:
    """Raises `InvalidRoutingError`."""
    try:
        return RoutingFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidRoutingError(f"not TOML ({error})") from error
    except ValidationError as error:
        raise InvalidRoutingError(_first(error)) from error


def routing_version(text: str) -> str:
    """Names the content of the file."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_labelled(text: str) -> list[LabelledTask]:
    """Raises `InvalidRoutingError`."""
    tasks: list[LabelledTask] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            tasks.append(LabelledTask.model_validate_json(line))
        except ValidationError as error:
            raise InvalidRoutingError(f"line {number}: {_first(error)}") from error
    return tasks


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _require_unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            message = f"{what} {name!r} stands there twice"
            raise ValueError(message)


def _require_known(what: str, known: set[str], named: Iterator[tuple[str, str]]) -> None:
    for who, name in named:
        if name not in known:
            message = f"{who} names the {what} {name!r}, which is not there"
            raise ValueError(message)


def _devices_named(file: RoutingFile) -> Iterator[tuple[str, str]]:
    for tier in file.tier:
        yield f"tier {tier.name}", tier.device


def _tiers_named(file: RoutingFile) -> Iterator[tuple[str, str]]:
    for family in file.family:
        for name in family.tiers:
            yield f"family {family.name}", name
    for domain in file.domain:
        if domain.least_tier is not None:
            yield f"domain {domain.name}", domain.least_tier
