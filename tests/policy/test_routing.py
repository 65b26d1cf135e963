"""Domains, habits and tiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy import habits as module
from pointsman.policy.habits import MOST, Habits
from pointsman.policy.routing import LEAST_SIMILARITY, score_domains
from pointsman.policy.tiers import suiting_tier
from tests.support.routing import routing

FAMILIES = {"reports": "summarize", "contracts": "summarize", "tickets": "classify"}
RULES = routing()

shares = st.dictionaries(st.sampled_from(sorted(FAMILIES)), st.floats(0.0, 1.0))
counts = st.dictionaries(st.sampled_from(["summarize", "classify", "embed"]), st.integers(0, 300))


def test_the_most_similar_domain_is_chosen() -> None:
    scores = score_domains({"reports": 0.2, "contracts": 0.1, "tickets": 0.15}, FAMILIES, {})

    assert [each.domain for each in scores] == ["reports", "tickets", "contracts"]
    assert scores[0].family == "summarize"
    assert [each.prior for each in scores] == [1.0, 1.0, 1.0]


def test_a_text_that_resembles_nothing_is_not_guessed_at() -> None:
    less = LEAST_SIMILARITY / 2

    assert score_domains({"reports": less, "tickets": 0.0}, FAMILIES, {"summarize": 99}) == []
    assert score_domains({}, FAMILIES, {}) == []


def test_a_domain_whose_family_has_no_models_does_not_count() -> None:
    scores = score_domains({"reports": 0.2, "tickets": 0.9}, {"reports": "summarize"}, {})

    assert [(each.domain, each.score) for each in scores] == [("reports", 1.0)]


def test_habits_decide_between_equals_and_not_against_the_content() -> None:
    equal, clear = {"reports": 0.2, "tickets": 0.2}, {"reports": 0.3, "tickets": 0.1}
    choices = {"classify": 1000}

    assert score_domains(equal, FAMILIES, choices)[0].domain == "tickets"
    assert score_domains(clear, FAMILIES, choices)[0].domain == "reports"


@given(similarities=shares, choices=counts)
def test_scores_share_what_may_be_meant(
    similarities: dict[str, float], choices: dict[str, int]
) -> None:
    scores = score_domains(similarities, FAMILIES, choices)

    assert not scores or sum(each.score for each in scores) == pytest.approx(1.0, abs=0.001)
    assert [each.score for each in scores] == sorted((s.score for s in scores), reverse=True)
    assert all(0.5 <= each.prior <= 2.0 for each in scores)


@given(similarities=shares, choices=counts)
def test_a_route_is_found_again_from_what_was_recorded(
    similarities: dict[str, float], choices: dict[str, int]
) -> None:
    scores = score_domains(similarities, FAMILIES, choices)
    recorded = {each.domain: each.similarity for each in scores}

    assert not scores or score_domains(recorded, FAMILIES, choices) == scores


def test_choices_in_the_same_project_count_twice() -> None:
    habits = Habits()
    habits.chose("acme", None, "embed")
    habits.chose("acme", "site", "classify")
    habits.chose("globex", "site", "generate")

    assert habits.choices("acme", None) == {"embed": 1, "classify": 1}
    assert habits.choices("acme", "site") == {"embed": 1, "classify": 2}
    assert habits.choices("nobody", "site") == {}


def test_old_choices_fade() -> None:
    habits = Habits()
    for _ in range(MOST):
        habits.chose("acme", None, "embed")
    for _ in range(MOST):
        habits.chose("acme", None, "classify")

    choices = habits.choices("acme", None)

    assert choices.total() <= MOST
    assert choices["classify"] > 2 * choices["embed"]


def test_who_has_chosen_nothing_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    habits = Habits()

    for tenant in ("a", "b", "a", "c"):
        habits.chose(tenant, None, "embed")

    assert [habit.tenant for habit in habits.habits()] == ["a", "c"]
    assert habits.choices("a", None) == {"embed": 2}


def tier(
    *wanted: str, memory_mib: float = 1.0, output: int = 0, left_s: float | None = None
) -> str | None:
    found = suiting_tier(
        RULES.tiers,
        RULES.devices,
        wanted,
        memory_mib=memory_mib,
        output_tokens=output,
        time_left_s=left_s,
    )
    return None if found is None else found.name


def test_the_highest_tier_that_somebody_wants_suits() -> None:
    assert tier("cheap") == "cheap"
    assert tier("cheap", "dear") == "dear"
    assert tier() == "cheap"


def test_a_model_gets_a_device_that_it_fits_on() -> None:
    assert tier("cheap", memory_mib=500.0) == "dear"
    assert tier("cheap", memory_mib=5000.0) is None


def test_a_tight_deadline_gets_a_device_that_writes_fast_enough() -> None:
    # 100 tokens take 20 s on the large device and 2 s on the small one.
    assert tier("dear", output=100, left_s=30.0) == "dear"
    assert tier("dear", output=100, left_s=5.0) == "middle"
    assert tier("dear", output=100, left_s=1.0) == "dear"
    assert tier("dear", output=100, left_s=5.0, memory_mib=500.0) == "dear"
