"""Tasks that leave their family open."""

import msgspec
import pytest

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.contracts.routing import AUTO, Route
from pointsman.policy.prototypes import Prototypes
from pointsman.scheduler.domain.admission.routes import Seen, seen_in
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.why.history import sentences
from pointsman.scheduler.leading.content import ContentReader
from tests.support.routing import FILE, routing
from tests.support.scheduling import NOON, PAYLOAD, A, accepted, given, model, submission

MODELS = (model("fast"), model("label", family="classify"))
CONTENT = ContentReader(Prototypes(FILE.prototypes))
REPORT = b"Please summarise the report on the river."
CONTRACT = b"What does this lease oblige me to do?"


def open_task(payload: bytes | None = REPORT, **change: object) -> SubmitTask:
    return msgspec.structs.replace(submission(family=AUTO, payload=payload), **change)


def decided(pool: Pool, task: SubmitTask, seen: Seen | None = None) -> TaskAccepted | Rejected:
    return decide_submit(pool, task, PAYLOAD, at=NOON, seen=seen or CONTENT.see(task))


def admitted(pool: Pool, task: SubmitTask) -> tuple[TaskAccepted, Route]:
    event = decided(pool, task)
    assert isinstance(event, TaskAccepted)
    assert event.route is not None
    return event, event.route


def refused(pool: Pool, task: SubmitTask) -> Rejected:
    answer = decided(pool, task)
    assert isinstance(answer, Rejected)
    return answer


def pool_of(*recorded: Decision) -> Pool:
    return given(*MODELS, routing(), *recorded).pool


def test_the_content_gives_a_task_its_family() -> None:
    event, route = admitted(pool_of(), open_task())

    assert (event.family, event.variants) == ("summarize", ("fast",))
    assert (route.chosen.domain, route.choices) == ("reports", 0)
    assert {other.domain for other in route.others} == {"contracts", "tickets"}
    assert route.version == "0123456789abcdef"


def test_a_domain_may_ask_for_a_better_tier() -> None:
    plain, _ = admitted(pool_of(), open_task())
    strict, route = admitted(pool_of(), open_task(CONTRACT))

    assert route.chosen.domain == "contracts"
    assert plain.judged is not None
    assert strict.judged is not None
    assert (plain.judged.tier, strict.judged.tier) == ("cheap", "dear")


def test_a_task_that_names_its_family_is_not_looked_at() -> None:
    task = submission(payload=REPORT)

    event = decided(pool_of(), task)

    assert CONTENT.see(task) is None
    assert isinstance(event, TaskAccepted)
    assert event.route is None


@pytest.mark.parametrize(
    ("task", "code"),
    [
        (open_task(None, payload_ref=PAYLOAD), "family_needed"),
        (open_task(model="fast"), "family_needed"),
        (open_task(b"\x00\x01"), "family_unclear"),
        (open_task(b"12345"), "family_unclear"),
    ],
    ids=["by reference", "with a model", "no text", "no word"],
)
def test_what_cannot_be_routed_is_refused_with_what_to_do(task: SubmitTask, code: str) -> None:
    answer = refused(pool_of(), task)

    assert answer.code == code
    assert "model ls" in answer.next


def test_a_pool_without_domains_asks_for_a_family() -> None:
    assert refused(given(*MODELS).pool, open_task()).code == "no_domains"


def test_a_domain_whose_family_has_no_models_is_left_out() -> None:
    pool = given(model("fast"), routing()).pool

    _, route = admitted(pool, open_task(b"Which department gets this complaint?"))

    assert {each.domain for each in (route.chosen, *route.others)} == {"reports", "contracts"}


def chose(family: str, **change: object) -> Decision:
    event = accepted(family=family, variants=("label" if family == "classify" else "fast",))
    return msgspec.structs.replace(event, **change)


def test_what_a_tenant_chose_before_weighs_in() -> None:
    history = given(*MODELS, routing())
    for number in range(50):
        history.append(A, chose("classify", message_id=str(number)))

    _, route = admitted(history.pool, open_task())
    _, of_another = admitted(history.pool, open_task(tenant="globex"))

    tickets = next(other for other in route.others if other.domain == "tickets")
    assert tickets.prior > 1.0 > route.chosen.prior
    assert (route.choices, of_another.choices) == (50, 0)


@pytest.mark.parametrize(
    "change", [{"source": "/pointsman/context"}, {"parent": str(A)}, {"route": "found"}]
)
def test_what_others_chose_for_a_tenant_is_no_habit_of_his(
    change: dict[str, object],
) -> None:
    history = given(*MODELS, routing())
    if "route" in change:
        change = {"route": admitted(history.pool, open_task())[1]}
    history.append(A, chose("classify", **change))

    _, route = admitted(history.pool, open_task())

    assert route.choices == 0


def test_a_route_is_decided_again_from_the_log_alone() -> None:
    history = given(*MODELS, routing())
    event, route = admitted(history.pool, open_task())

    again = decided(history.pool, open_task(None), seen_in(route))

    assert again == event


def test_the_history_of_a_task_says_why_it_has_its_family() -> None:
    event, _ = admitted(pool_of(), open_task())

    told = " ".join(sentences([event]))

    assert "most like domain reports" in told
    assert "had never named a family" in told
    assert "Other domains: " in told
    assert "It counts as simple (score 0." in told
    assert "Quality tier cheap on a small device suits it" in told
