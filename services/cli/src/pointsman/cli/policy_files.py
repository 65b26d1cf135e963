"""A policy file, read as the scheduler would."""

from pathlib import Path

from pointsman.cli.failures import CommandError, ExitCode, file_status, why_not
from pointsman.policy.parameters import Parameters, ParametersError, read_parameters


def read_policy_file(path: Path) -> Parameters:
    """What it sets; raises `CommandError` with what whoever wrote it must correct."""
    try:
        return read_parameters(path.read_text(encoding="utf-8"))
    except ParametersError as error:
        raise CommandError(
            f"policy file {path}: {error}",
            code=error.code,
            exit_code=ExitCode.FAILURE,
            next_step=error.next_step,
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"policy file {path} cannot be read: {why_not(error, named=path)}",
            code="policy_missing" if isinstance(error, FileNotFoundError) else "policy_unreadable",
            exit_code=file_status(error),
            next_step="name a readable UTF-8 file",
        ) from error
