"""A trace is read as it was written, and a wrong line is named."""

import io

import pytest

from pointsman.contracts.message import PriorityClass
from pointsman.time_machine.traces import LOAD_S, TracedTask, TraceError, read_trace, write_trace


def test_only_three_columns_are_needed() -> None:
    (task,) = read_trace(["arrival_s,model,service_s\n", "1.5,m,2\n"])

    assert task == TracedTask(number=0, arrival_s=1.5, model="m", service_s=2.0)
    assert task.priority_class is PriorityClass.STANDARD
    assert task.load_s == LOAD_S == 22.0
    assert task.deadline_s is None


def test_what_is_written_is_read_again() -> None:
    tasks = [
        TracedTask(number=0, arrival_s=0.25, model="m", service_s=2.0),
        TracedTask(
            number=1,
            arrival_s=0.5,
            model="n, with a comma",
            service_s=3.0,
            tenant="acme",
            priority_class=PriorityClass.BATCH,
            deadline_s=9.5,
            load_s=1.0,
            input_tokens=7,
            output_tokens=8,
        ),
    ]
    out = io.StringIO()

    write_trace(tasks, out)

    assert read_trace(out.getvalue().splitlines(keepends=True)) == tasks


HEADER = "arrival_s,model,service_s,class,input_tokens"


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        ([], "trace_empty", 1),
        ([HEADER], "trace_empty", 1),
        (["arrival_s,service_s"], "trace_column_missing", 1),
        (["arrival_s,model,service_s,colour"], "trace_column_unknown", 1),
        (["arrival_s,model,service_s,model"], "trace_column_unknown", 1),
        ([HEADER, "1,m,2,batch,3", "0.5,m,2,batch,3"], "trace_unsorted", 3),
        ([HEADER, "1,m,2,batch"], "trace_fields", 2),
        ([HEADER, "soon,m,2,batch,3"], "trace_value", 2),
        ([HEADER, "1,m,nan,batch,3"], "trace_value", 2),
        ([HEADER, "1,m,inf,batch,3"], "trace_value", 2),
        ([HEADER, "1,m,-2,batch,3"], "trace_value", 2),
        ([HEADER, "1,m,,batch,3"], "trace_value", 2),
        ([HEADER, "1,,2,batch,3"], "trace_value", 2),
        ([HEADER, "1,m,2,urgent,3"], "trace_value", 2),
        ([HEADER, "1,m,2,batch,many"], "trace_value", 2),
        ([HEADER, "1,m,2,batch,3", "", "x,m,2,batch,3"], "trace_value", 4),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_what_to_do(
    lines: list[str], code: str, line: int
) -> None:
    with pytest.raises(TraceError) as error:
        read_trace([f"{text}\n" for text in lines])

    assert (error.value.code, error.value.line) == (code, line)
    assert str(error.value).startswith(f"line {line}: ")
    assert error.value.next_step
