"""Where the sample models, their registry and the Triton environment lie."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.cli.failures import CommandError, ExitCode, why_not

HOME_VARIABLE: Final = "POINTSMAN_HOME"

_MARK: Final = Path("infra", "triton", "models")


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout of Pointsman."""

    root: Path

    @property
    def models(self) -> Path:
        return self.root / _MARK

    @property
    def registry(self) -> Path:
        return self.root / "infra" / "triton" / "registry.toml"

    @property
    def routing(self) -> Path:
        return self.root / "infra" / "routing" / "routing.toml"

    @property
    def labelled(self) -> Path:
        """The labelled routing set."""
        return self.routing.with_name("labelled.jsonl")

    @property
    def triton_environment(self) -> Path:
        return self.root / ".venv-triton"

    def model_names(self) -> tuple[str, ...]:
        """Every model of the sample repository."""
        return tuple(sorted(path.parent.name for path in self.models.glob("*/config.pbtxt")))

    def variants(self) -> tuple[str, ...]:
        """Every variant of the registry; raises `CommandError` when it cannot be read."""
        return tuple(self.load_times())

    def load_times(self) -> dict[str, float]:
        """The seconds that each variant's load takes by the registry; raises as `variants` does."""
        try:
            document = tomllib.loads(self.registry.read_text(encoding="utf-8"))
            return {
                str(variant["model"]): float(variant["load_s"]) for variant in document["variant"]
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = why_not(error, named=self.registry)
            raise CommandError(
                f"the model registry {self.registry} cannot be read: {why}",
                code="registry_invalid",
                exit_code=ExitCode.FAILURE,
                next_step="restore it from the repository",
            ) from error


def find_project(start: Path = Path(__file__)) -> Project:
    """The checkout that holds `start`, or the one that `POINTSMAN_HOME` names.

    Raises `CommandError` when there is none.
    """
    named = os.environ.get(HOME_VARIABLE)
    candidates = [Path(named)] if named else list(start.resolve().parents)
    for candidate in candidates:
        if (candidate / _MARK).is_dir():
            return Project(candidate.absolute())
    raise CommandError(
        "the sample models (infra/triton/models) are not beside this installation"
        if not named
        else f"{HOME_VARIABLE}={named} has no {_MARK}",
        code="project_missing",
        exit_code=ExitCode.FAILURE,
        next_step=f"point {HOME_VARIABLE} to a checkout of Pointsman",
    )
