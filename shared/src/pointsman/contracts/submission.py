"""What another system sends to have a task run: the data of `pointsman.task.submit.v1`."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from pointsman.contracts.cloudevents import CloudEvent
from pointsman.contracts.commands import MAX_DEPENDENCIES, SubmitTask
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.subjects import NAME_PATTERN

SUBMIT_TYPE: Final = "pointsman.task.submit.v1"
_SUBMIT_NAME: Final = "pointsman.task.submit"

_SHOWN_CHARS: Final = 200

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
ScopeName = Annotated[str, StringConstraints(pattern=NAME_PATTERN.replace("\\Z", "$"))]
ParameterValue = Annotated[str, StringConstraints(max_length=256)]


class InvalidSubmissionError(ValueError):
    """The sender must correct the task; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TaskSubmission(BaseModel):
    """A task as its sender describes it.

    Unknown fields are refused: ignored they would be wishes that nobody hears.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    family: Name
    """What kind of work: a family of the model registry, for example `summarize`."""
    text: str = Field(min_length=1, max_length=900_000)
    """The input; as UTF-8 at most 524288 bytes (512 KiB), else `payload_too_large`."""
    model: Name | None = None
    """Only this variant."""
    priority_class: PriorityClass = PriorityClass.STANDARD
    deadline: AwareDatetime | None = None
    """When the result must be there (RFC 3339 with offset)."""
    deadline_ms: int | None = Field(default=None, ge=0, le=30 * 86_400_000)
    """The same, in milliseconds from acceptance; give one of the two."""
    boost_s: float = Field(default=0.0, ge=0.0, le=300.0)
    """Seconds by which it is due earlier; limited to the window of its class."""
    allow_degradation: Degradation | None = None
    """Default: `split` for batch and background work, else `smaller_model`."""
    min_quality: float = Field(default=0.0, ge=0.0, le=1.0)
    max_attempts: int = Field(default=3, ge=1, le=10)
    parameters: dict[Name, ParameterValue] = Field(default_factory=dict, max_length=16)
    """Passed to the model as request parameters."""
    project_id: ScopeName | None = None
    """Project that the conversation belongs to."""
    conversation_id: ScopeName | None = None
    """Earlier turns of this conversation become part of the input."""
    context_tokens: int = Field(default=0, ge=0, le=1_000_000)
    """Most tokens of context and input together; 0: the default."""
    cache: bool = False
    """The earlier result of an identical task will do."""
    not_before: AwareDatetime | None = None
    """It does not run before this time (RFC 3339 with offset)."""
    depends_on: tuple[UUID, ...] = Field(default=(), max_length=MAX_DEPENDENCIES)
    """It runs when these tasks have completed, and fails when one of them does not."""
    bulk: ScopeName | None = None
    """Names the tasks that are submitted together."""

    @model_validator(mode="after")
    def _one_deadline(self) -> "TaskSubmission":
        if self.deadline is not None and self.deadline_ms is not None:
            message = "give deadline or deadline_ms, not both"
            raise ValueError(message)
        return self


def submit_command(
    asked: TaskSubmission, *, command_id: str, tenant: str, source: str, now: float
) -> SubmitTask:
    """The command that asks the scheduler for it; `now` is when `deadline_ms` begins."""
    deadline = None if asked.deadline is None else asked.deadline.timestamp()
    if asked.deadline_ms is not None:
        deadline = now + asked.deadline_ms / 1000
    return SubmitTask(
        command_id=command_id,
        tenant=tenant,
        family=asked.family,
        payload=asked.text.encode(),
        model=asked.model,
        priority_class=asked.priority_class,
        deadline=deadline,
        boost_s=asked.boost_s,
        degradation=asked.allow_degradation,
        min_quality=asked.min_quality,
        max_attempts=asked.max_attempts,
        parameters=dict(asked.parameters) or None,
        source=source,
        project=asked.project_id,
        conversation=asked.conversation_id,
        context_tokens=asked.context_tokens,
        cache=asked.cache,
        not_before=None if asked.not_before is None else asked.not_before.timestamp(),
        depends_on=asked.depends_on,
        bulk=asked.bulk,
    )


def submission_of(event: CloudEvent) -> TaskSubmission:
    """The task that a CloudEvent asks for; raises `InvalidSubmissionError`."""
    if event.type != SUBMIT_TYPE:
        raise _wrong_type(event.type)
    try:
        return TaskSubmission.model_validate(event.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # Where may hold a key that the sender chose, of any length.
        where = ".".join(str(part) for part in first["loc"])[:_SHOWN_CHARS] or "data"
        raise InvalidSubmissionError("invalid_task", f"{where}: {first['msg']}") from None


def _wrong_type(type_: str) -> InvalidSubmissionError:
    if type_.rpartition(".v")[0] == _SUBMIT_NAME and type_.rpartition(".v")[2].isdigit():
        return InvalidSubmissionError(
            "newer_version",
            f"{type_} is newer than this Pointsman, which takes {SUBMIT_TYPE}: "
            "upgrade Pointsman or send the older version",
        )
    return InvalidSubmissionError(
        "unknown_type", f"type {type_!r} is not taken here, send {SUBMIT_TYPE}"
    )
