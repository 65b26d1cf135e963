"""Tasks in the order of a key, without those that may not begin."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.eligibility import Eligibility
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.waiting_line import WaitingLine


def task(number: int, model: str = "a", tenant: str = "acme") -> TracedTask:
    return TracedTask(number, float(number), model, 1.0, tenant=tenant)


def all_of(line: WaitingLine) -> list[int]:
    taken: list[int] = []
    while (first := line.take()) is not None:
        taken.append(first.number)
    return taken


def test_what_may_not_begin_keeps_its_place() -> None:
    eligible = Eligibility()
    line = WaitingLine(eligible)
    for number, model in enumerate("abab"):
        line.put(task(number, model))
    eligible.classes.limit("a", 0)

    first = line.take()
    eligible.classes.limit("a", None)
    line.put(task(4, "a"))

    assert first == task(1, "b")
    assert all_of(line) == [0, 2, 3, 4]


def test_a_task_is_taken_out_wherever_it_is() -> None:
    eligible = Eligibility()
    line = WaitingLine(eligible)
    for number in range(3):
        line.put(task(number))
    line.put(task(3, "b"))
    eligible.classes.limit("a", 0)
    assert line.first() == task(3, "b")

    found = [line.discard(task(number, model)) for number, model in ((0, "a"), (3, "b"), (9, "a"))]
    eligible.classes.limit("a", None)

    assert found == [True, True, False]
    assert all_of(line) == [1, 2]


@given(
    waiting=st.lists(
        st.tuples(st.floats(0, 9), st.sampled_from("ab"), st.sampled_from("xy")), max_size=30
    ),
    closed=st.sets(st.sampled_from("abxy")),
    late=st.integers(0, 30),
)
def test_it_is_the_sorted_list_of_what_may_begin(
    waiting: list[tuple[float, str, str]], closed: set[str], late: int
) -> None:
    eligible = Eligibility()
    line = WaitingLine(eligible)
    entries = [(key, task(n, model, tenant)) for n, (key, model, tenant) in enumerate(waiting)]
    for key, each in entries[:late]:
        line.put(each, key)
    for name in closed:
        (eligible.classes if name in "ab" else eligible.tenants).limit(name, 0)
    line.first()
    for key, each in entries[late:]:
        line.put(each, key)

    of_open = all_of(line)
    for name in closed:
        (eligible.classes if name in "ab" else eligible.tenants).limit(name, None)

    ordered = sorted((key, each.number) for key, each in entries)
    may = {each.number for _, each in entries if not closed & {each.model, each.tenant}}
    assert of_open == [number for _, number in ordered if number in may]
    assert all_of(line) == [number for _, number in ordered if number not in may]
