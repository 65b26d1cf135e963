"""The routing file on disk."""

from pathlib import Path

from pointsman.contracts.events import RoutingChanged
from pointsman.contracts.routing_file import (
    InvalidRoutingError,
    RoutingFile,
    parse_routing,
    routing_version,
)
from pointsman.policy.prototypes import Prototypes


class RoutingFileError(Exception):
    """Whoever maintains the routing file must correct it."""

    code = "routing_invalid"

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"routing file {path}: {detail}; correct the file and start again")
        self.path = path


class RoutingOnDisk:
    """Implements `pointsman.scheduler.ports.RoutingRules`; reads once.

    Without a path there are no rules and no domains. Raises `RoutingFileError`.
    """

    def __init__(self, path: Path | None) -> None:
        text = "" if path is None else _text(path)
        try:
            self._file: RoutingFile = parse_routing(text)
        except InvalidRoutingError as error:
            raise RoutingFileError(path or Path(), str(error)) from error
        self._version = routing_version(text)

    @property
    def prototypes(self) -> Prototypes | None:
        """What contents are compared with; None without domains."""
        return Prototypes(self._file.prototypes) if self._file.domain else None

    def event(self, *, pool: str, at: float, applied_to: int) -> RoutingChanged:
        """The file as the event that would record it."""
        return self._file.event(pool=pool, version=self._version, at=at, applied_to=applied_to)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RoutingFileError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RoutingFileError(path, f"not UTF-8 ({error.reason})") from error
