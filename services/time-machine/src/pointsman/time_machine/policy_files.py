"""A policy by its name, or ours as a file sets it."""

from pathlib import Path

from pointsman.policy.parameters import DEFAULTS, Parameters, ParametersError, read_parameters
from pointsman.time_machine.policies import OURS, POLICIES


def read_policy(text: str) -> tuple[str, Parameters]:
    """Name and parameters; raises `ParametersError`."""
    if text in POLICIES:
        return text, DEFAULTS
    path = Path(text)
    if not path.exists():
        raise ParametersError(
            f"there is no policy and no file {text}",
            code="policy_missing",
            next_step=f"name {', '.join(POLICIES)} or a TOML file",
        )
    try:
        return OURS, read_parameters(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ParametersError(
            f"policy file {text} is not UTF-8",
            code="policy_unreadable",
            next_step="save it as UTF-8",
        ) from None
    except ParametersError as error:
        raise ParametersError(
            f"policy file {text}: {error}", code=error.code, next_step=error.next_step
        ) from error
