"""A trace is read as it was written, and a wrong line is named."""

import io
from pathlib import Path

import pytest

from pointsman.contracts.message import PriorityClass
from pointsman.time_machine.trace_reading import read_trace, read_trace_file
from pointsman.time_machine.traces import LOAD_S, SIZES, TracedTask, TraceError, write_trace


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
    assert not any(name in out.getvalue() for name in SIZES)


def test_sizes_are_written_where_a_model_has_one() -> None:
    large = TracedTask(0, 0.0, "large", 2.0, devices_per_instance=4, memory_mib=80_000.0)
    out = io.StringIO()

    write_trace([large, TracedTask(1, 1.0, "small", 2.0)], out)

    first, second = read_trace(out.getvalue().splitlines(keepends=True))
    assert first == large
    assert first.part_mib == 20_000.0
    assert (second.devices_per_instance, second.memory_mib) == (1, 0.0)


def test_the_mark_of_a_spreadsheet_before_the_header_is_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,model,service_s\n0,a,1\n", encoding="utf-8-sig")

    (task,) = read_trace_file(path)

    assert task.model == "a"


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(b"arrival_s,model,service_s\n0,a,1\n1,caf\xe9,1\n")

    with pytest.raises(TraceError, match="line 3: ") as error:
        read_trace_file(path)

    assert error.value.code == "trace_unreadable"


HEADER = "arrival_s,model,service_s,class,input_tokens"
DEADLINE = "arrival_s,model,service_s,deadline_s"
SIZED = "arrival_s,model,service_s,devices_per_instance,memory_mib"


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
        ([HEADER, "1,m,2,batch,3", '2,"m,2,batch,3', "3,m,2,batch,3"], "trace_fields", 3),
        ([HEADER, '1,"m"n,2,batch,3'], "trace_fields", 2),
        ([HEADER, "1,m\t,2,batch,3", "2,m\tn,2,batch,3"], "trace_value", 3),
        (["arrival_s;model;service_s", "1;m;2"], "trace_column_missing", 1),
        ([DEADLINE, "1,m,2,1.5", "2,m,2,1.5"], "trace_value", 3),
        ([SIZED, "1,m,2,0,1"], "trace_value", 2),
        ([SIZED, f"1,m,2,{'9' * 5_000},1"], "trace_value", 2),
        ([SIZED, "1,m,2,1.5,1"], "trace_value", 2),
        ([SIZED, "1,m,2,1,-5"], "trace_value", 2),
        ([SIZED, "1,m,2,2,10", "2,n,2,1,5", "3,m,2,1,10"], "trace_value", 4),
        ([SIZED, "1,m,2,2,10", "2,m,2,2,11"], "trace_value", 3),
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


def test_the_column_is_named_by_its_place_and_what_is_missing_by_its_name() -> None:
    with pytest.raises(TraceError) as wrong:
        read_trace([f"{HEADER}\n", "1,m,long,batch,3\n"])
    with pytest.raises(TraceError) as missing:
        read_trace([f"{HEADER}\n", "1,m,2\n"])
    with pytest.raises(TraceError) as more:
        read_trace([f"{HEADER}\n", "1,m,2,batch,3,4\n"])

    assert str(wrong.value) == "line 2: column 3, service_s, is 'long'"
    assert "class, input_tokens is missing" in str(missing.value)
    assert "input_tokens is the last" in str(more.value)
