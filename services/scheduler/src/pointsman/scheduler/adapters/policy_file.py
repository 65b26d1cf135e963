"""The policy as a TOML file that names what differs from the defaults."""

from pathlib import Path

from pointsman.policy.parameters import DEFAULTS, Parameters, ParametersError, read_parameters


class PolicyFileError(Exception):
    """Whoever maintains the policy file must correct it; `code` as in `ParametersError`."""

    def __init__(self, path: Path, detail: str, *, code: str, next_step: str) -> None:
        super().__init__(f"policy file {path}: {detail}; {next_step} and start again")
        self.path = path
        self.code = code
        self.next_step = next_step


class PolicyFile:
    """Implements `pointsman.scheduler.ports.PolicySource`; reads once.

    Without a path it gives the defaults. Raises `PolicyFileError`.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._parameters = DEFAULTS if path is None else _read(path)

    @property
    def parameters(self) -> Parameters:
        """What it sets."""
        return self._parameters

    @property
    def source(self) -> str:
        """Where it lies; empty without one."""
        return "" if self._path is None else str(self._path.absolute())


def _read(path: Path) -> Parameters:
    try:
        return read_parameters(path.read_text(encoding="utf-8"))
    except ParametersError as error:
        raise PolicyFileError(
            path, str(error), code=error.code, next_step=error.next_step
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        detail = f"cannot be read ({error.strerror if isinstance(error, OSError) else error})"
        raise PolicyFileError(
            path, detail, code="policy_unreadable", next_step="make it a readable UTF-8 file"
        ) from error
