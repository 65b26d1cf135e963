"""What the policy can be set to, and what is said of a document that cannot be used."""

from typing import Final

import pytest
from msgspec.structs import replace

from pointsman.contracts.message import PriorityClass
from pointsman.policy.class_queue import LEAST_GAP_S
from pointsman.policy.holder_wait import IDLE_PATIENCE, PATIENCE
from pointsman.policy.order import WINDOWS, Window, virtual_deadline
from pointsman.policy.parameters import (
    DEFAULTS,
    KNOWN_RULES,
    RULES,
    UNTOLD,
    Parameters,
    ParametersError,
    config_of,
    from_figures,
    read_parameters,
    rules_of,
)
from pointsman.policy.swap_credit import CAP_LOADS, SHARE, SwapCredit
from pointsman.policy.wait_bound import wait_bound_s

OF_FIVE: Final = replace(DEFAULTS, unserved_patience_loads=UNTOLD.unserved_patience_loads)
"""The defaults of a release that did not have the last of the parameters."""

CODES: Final = {
    "swap_share = ": "policy_unreadable",
    "patience = 3": "policy_unknown_key",
    "windows = 3": "policy_unknown_key",
    "windows.urgent.due_s = 3": "policy_unknown_key",
    "swap_share = 0": "policy_value",
    "swap_share = 1": "policy_value",
    "swap_share = 'much'": "policy_value",
    "least_gap_s = nan": "policy_value",
    "least_gap_s = inf": "policy_value",
    "holder_patience_loads = -1": "policy_value",
    "windows.standard = {due_s = 5, floor_s = 9}": "policy_value",
}


def test_an_empty_document_is_the_defaults_and_these_are_the_constants() -> None:
    assert read_parameters("") == DEFAULTS == Parameters()
    assert DEFAULTS.windows_by_class() == WINDOWS
    assert DEFAULTS.swap_share == SHARE
    assert DEFAULTS.credit_cap_loads == CAP_LOADS
    assert DEFAULTS.holder_patience_loads == PATIENCE
    assert DEFAULTS.idle_patience_loads == IDLE_PATIENCE
    assert DEFAULTS.least_gap_s == LEAST_GAP_S


def test_figures_of_before_a_parameter_existed_leave_its_rule_out() -> None:
    figures = Parameters(swap_share=0.1).figures()
    del figures["unserved_patience_loads"]
    of_five = from_figures(figures)
    del figures["idle_patience_loads"]

    before = from_figures(figures)

    assert of_five == replace(OF_FIVE, swap_share=0.1)
    assert before == replace(UNTOLD, swap_share=0.1)
    assert before.holder_patience_loads <= before.idle_patience_loads


def test_a_policy_has_the_name_that_it_had_before_a_parameter_existed() -> None:
    assert config_of(UNTOLD) == "policy-4"
    assert config_of(replace(UNTOLD, swap_share=0.1)) == "policy-4+5420a1ed"
    assert config_of(OF_FIVE) == "policy-5"
    assert config_of(replace(OF_FIVE, swap_share=0.1)) == "policy-5+03995f8e"
    assert config_of(DEFAULTS) == RULES
    assert config_of(Parameters(swap_share=0.1)).startswith(f"{RULES}+")


def test_decisions_of_all_names_are_made_here_as_they_were() -> None:
    of = UNTOLD, OF_FIVE, DEFAULTS, Parameters(swap_share=0.1)
    named = {rules_of(config_of(each)) for each in of}

    assert named == KNOWN_RULES


def test_a_document_names_only_what_differs() -> None:
    read = read_parameters("swap_share = 0.1\n[windows.standard]\ndue_s = 20\n")

    assert read.swap_share == 0.1
    assert read.windows.standard == Window(due_s=20.0, floor_s=1.0)
    assert read.windows.batch == DEFAULTS.windows.batch
    assert read.figures()["windows.standard.due_s"] == 20.0


@pytest.mark.parametrize(("text", "code"), CODES.items())
def test_what_cannot_be_used_is_said_with_a_code(text: str, code: str) -> None:
    with pytest.raises(ParametersError) as caught:
        read_parameters(text)

    assert caught.value.code == code
    assert caught.value.next_step


def test_windows_decide_when_a_task_is_due() -> None:
    windows = read_parameters("windows.standard.due_s = 20").windows_by_class()

    key = virtual_deadline(
        PriorityClass.STANDARD, arrival=100.0, boost_s=0.0, latest_start=None, windows=windows
    )

    assert key == 120.0


def test_the_swap_share_decides_what_credit_is_earned_and_how_long_a_class_may_wait() -> None:
    credit = SwapCredit(share=0.5, cap_loads=2.0)
    credit.spend(30.0, mean_load_s=10.0)
    credit.earn(5.0)

    assert credit.left_s(mean_load_s=10.0) == pytest.approx(2 * 10.0 - 30.0 + 5.0)
    bound_s = wait_bound_s(classes=1, devices=1, load_s=10.0, run_p99_s=30.0, share=0.5)
    assert bound_s == pytest.approx(10.0 + 10.0 + 30.0)
