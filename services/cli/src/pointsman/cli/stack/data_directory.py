"""The directory that a stack keeps everything in; one stack at a time uses it."""

from pathlib import Path
from typing import Final

from pointsman.cli.failures import CommandError, ExitCode, file_status, why_not
from pointsman.cli.stack.log_place import SQLITE, LogPlace, check_place, mark_place
from pointsman.runtime.file_lock import FileInUseError, FileLock

_LOG_BYTES: Final = 16 * 1024 * 1024


class DataDirectory:
    """Claimed from construction to `release`.

    Only its owner may read it. Raises `CommandError`: `directory_in_use`, `directory_newer`,
    `log_elsewhere` or `data_directory_unusable`.
    """

    def __init__(self, path: Path, log: LogPlace = SQLITE) -> None:
        self.path = path.absolute()
        self._place = log
        try:
            self._claim()
        except FileInUseError as error:
            raise _in_use(self.path, error.pid) from error
        except (OSError, ValueError) as error:
            raise _unusable(self.path, error) from error

    def _claim(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It may have been there before, and what lies in it is for its owner alone.
        self.path.chmod(0o700)
        self._lock = FileLock(self.path / "stack")
        try:
            self._marked = check_place(self.path, self._place)
            if self._place == SQLITE:
                self.remember_log()
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except BaseException:
            self._lock.release()
            raise

    def remember_log(self) -> None:
        """From now on, only a stack that keeps its log in the same place starts here."""
        if not self._marked:
            mark_place(self.path, self._place)
            self._marked = True

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def nats(self) -> Path:
        return self.path / "nats"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def triton(self) -> Path:
        return self.path / "triton"

    @property
    def blobs(self) -> Path:
        return blobs(self.path)

    def log(self, part: str) -> Path:
        """The log of a part; a long one from earlier runs is set aside as `<part>.log.1`."""
        path = self.logs / f"{part}.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        return path

    def show_log(self, part: str, real: Path) -> None:
        """Let `logs/<part>.log` lead to a log that a server keeps elsewhere."""
        link = self.logs / f"{part}.log"
        link.unlink(missing_ok=True)
        link.symlink_to(real)

    def release(self) -> None:
        """Let another stack use the directory."""
        self._lock.release()


def blobs(data: Path) -> Path:
    """Where payloads and results lie."""
    return data / "blobs"


def _in_use(path: Path, pid: int | None) -> CommandError:
    holder = "another process" if pid is None else f"process {pid}"
    return CommandError(
        f"{path} is in use by {holder}",
        code="directory_in_use",
        exit_code=ExitCode.CONFLICT,
        next_step=f"stop that stack first (kill {pid or 'it'}), or choose another with --data",
    )


def _unusable(path: Path, error: OSError | ValueError) -> CommandError:
    return CommandError(
        f"{path} cannot be used as data directory: {why_not(error, named=path)}",
        code="data_directory_unusable",
        exit_code=file_status(error),
        next_step="choose a directory that you own, or a new one, with --data",
    )
