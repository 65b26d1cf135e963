"""The model registry as a TOML file: one `[[variant]]` table per variant."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pointsman.contracts.events import ModelRegistered
from pointsman.contracts.parts import Merge
from pointsman.contracts.submission import Name


class RegistryError(Exception):
    """The registry file must be corrected by whoever maintains it."""

    code = "registry_invalid"

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"model registry {path}: {detail}; correct the file and start again")
        self.path = path


class _Variant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Name
    family: Name
    quality: float = Field(ge=0.0, le=1.0)
    memory_mib: float = Field(gt=0.0)
    load_s: float = Field(ge=0.0)
    slots: int = Field(ge=1)
    service_s: float = Field(ge=0.0)
    service_p99_s: float = Field(ge=0.0)
    media_type: str = Field(min_length=1)
    devices_per_instance: int = Field(default=1, ge=1)
    max_input_bytes: int = Field(default=0, ge=0)
    merge: Merge | None = None


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: tuple[_Variant, ...]

    @model_validator(mode="after")
    def _one_rule_per_family(self) -> "_Document":
        rules: dict[str, Merge | None] = {}
        for variant in self.variant:
            if rules.setdefault(variant.family, variant.merge) is not variant.merge:
                message = f"the variants of {variant.family} name different rules to merge"
                raise ValueError(message)
        return self


class RegistryFile:
    """Implements `pointsman.scheduler.ports.Registry`; reads once, raises `RegistryError`."""

    def __init__(self, path: Path) -> None:
        try:
            document = _Document.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise RegistryError(path, f"cannot be read ({error.strerror})") from error
        except tomllib.TOMLDecodeError as error:
            raise RegistryError(path, f"not TOML ({error})") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "variant"
            raise RegistryError(path, f"{where}: {first['msg']}") from error
        self._variants = document.variant

    def models(self, *, at: float, applied_to: int) -> Sequence[ModelRegistered]:
        """Every variant, as the event that would register it."""
        return [
            ModelRegistered(
                at=at,
                applied_to=applied_to,
                variant=variant.model,
                **variant.model_dump(exclude={"model"}),
            )
            for variant in self._variants
        ]
