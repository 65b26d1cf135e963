"""What `task submit` sends, from what a person typed."""

import re
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pointsman.cli.failures import (
    CommandError,
    ExitCode,
    InvalidOptionError,
    unreadable_input,
)
from pointsman.cli.results import utf8
from pointsman.contracts.commands import MAX_DEPENDENCIES, MAX_PAYLOAD_BYTES, SubmitTask
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.subjects import NAME_PATTERN, TENANT_PATTERN

_SPAN: Final = re.compile(r"^\+?(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_TEXT: Final = "text/plain"
_BYTES: Final = "application/octet-stream"
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class AllowedDegradation(StrEnum):
    """What the scheduler offers of `Degradation`."""

    NONE = Degradation.NONE.value
    SMALLER_MODEL = Degradation.SMALLER_MODEL.value
    SPLIT = Degradation.SPLIT.value


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of a submission, still as they were typed."""

    family: str
    tenant: str
    priority_class: PriorityClass
    deadline: str | None
    model: str | None
    boost_s: float
    min_quality: float
    allow_degradation: AllowedDegradation | None
    max_attempts: int
    parameters: tuple[str, ...]
    id: str | None
    project: str | None = None
    conversation: str | None = None
    context_tokens: int = 0
    cache: bool = False
    not_before: str | None = None
    after: tuple[UUID, ...] = ()
    bulk: str | None = None

    def command(self, payload: bytes) -> SubmitTask:
        """Raises `InvalidOptionError`."""
        self._check()
        allowed, now = self.allow_degradation, time.time()
        return SubmitTask(
            command_id=self.id or str(uuid4()),
            tenant=self.tenant,
            family=self.family,
            payload=payload,
            media_type=_BYTES if utf8(payload) is None else _TEXT,
            model=self.model,
            priority_class=self.priority_class,
            deadline=None if self.deadline is None else deadline(self.deadline, now=now),
            boost_s=self.boost_s,
            degradation=None if allowed is None else Degradation(allowed.value),
            max_attempts=self.max_attempts,
            min_quality=self.min_quality,
            parameters=parameters(self.parameters) or None,
            project=self.project,
            conversation=self.conversation,
            context_tokens=self.context_tokens,
            cache=self.cache,
            not_before=None
            if self.not_before is None
            else moment_ahead("--not-before", self.not_before, now=now),
            depends_on=self.after,
            bulk=self.bulk,
        )

    def _check(self) -> None:
        check_tenant("--tenant", self.tenant)
        for option, name in (
            ("--project", self.project),
            ("--conversation", self.conversation),
            ("--bulk", self.bulk),
        ):
            check_name(option, name)
        if len(self.after) > MAX_DEPENDENCIES:
            raise InvalidOptionError(
                f"--after names {len(self.after)} tasks, at most {MAX_DEPENDENCIES} are taken: put "
                "a task in between that depends on some of them"
            )


def check_tenant(option: str, tenant: str) -> None:
    """Raises `InvalidOptionError` for what is no name of a tenant."""
    if re.match(TENANT_PATTERN, tenant) is None:
        raise InvalidOptionError(
            f"{option} {tenant!r} is no tenant: lower-case letters, digits, - and _, at most 63, "
            "the first a letter or digit"
        )


def check_name(option: str, name: str | None) -> None:
    """Raises `InvalidOptionError` for what is no name of a project, a bulk or the like."""
    if name is not None and re.match(NAME_PATTERN, name) is None:
        raise InvalidOptionError(
            f"{option} {name!r} is no name: letters, digits, dots, - and _, at most 128, "
            "the first a letter or digit"
        )


def span_s(text: str) -> float | None:
    """`5s`, `250ms`, `2m`, `1h` or `1d` in seconds; None for what is no span."""
    span = _SPAN.match(text)
    return None if span is None else float(span[1]) * _UNIT_S[span[2]]


def deadline(text: str, *, now: float) -> float:
    """A span from now or an RFC 3339 time, as seconds since the epoch."""
    return moment_ahead("--deadline", text, now=now)


def moment_ahead(option: str, text: str, *, now: float) -> float:
    """A span from now or an RFC 3339 time, as seconds since the epoch.

    Raises `InvalidOptionError`.
    """
    span = span_s(text)
    if span is not None:
        return now + span
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidOptionError(
            f"{option} {text!r} is neither a span (5s, 250ms, 2m, 1h, 1d) nor an RFC 3339 time "
            "with its offset (2026-01-31T12:00:00Z)"
        )
    return moment.timestamp()


def parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    """`key=value` pairs as a mapping."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidOptionError(f"--param {pair!r} is not key=value")
        found[key] = value
    return found


def read_payload(
    text: str | None,
    file: Path | None,
    *,
    most: int = MAX_PAYLOAD_BYTES,
    ways: str = "as TEXT, as - for standard input, or with --file",
) -> bytes:
    """The input from the command line, a file or (`-`) standard input, at most `most` bytes.

    `ways` says how the command takes it. Raises `InvalidOptionError` and `CommandError`.
    """
    if (text is None) == (file is None):
        raise InvalidOptionError(f"give the input once: {ways}")
    try:
        if file is not None:
            payload = file.read_bytes()
        else:
            payload = sys.stdin.buffer.read() if text == "-" else str(text).encode()
    except OSError as error:
        raise unreadable_input(file, error) from error
    if not payload:
        raise InvalidOptionError("the input is empty")
    if len(payload) > most:
        raise CommandError(
            f"the input has {len(payload)} bytes, at most {most} are taken",
            code="payload_too_large",
            exit_code=ExitCode.FAILURE,
            next_step="split it into several tasks",
        )
    return payload
