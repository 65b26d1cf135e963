"""The routing file and the labelled routing set, as people write them."""

from pathlib import Path

import pytest

from pointsman.contracts.routing_file import (
    MAX_DOMAINS,
    InvalidRoutingError,
    parse_labelled,
    parse_routing,
    routing_version,
)
from tests.support.routing import TEXT

INFRA = Path(__file__).parents[2] / "infra"


def test_a_file_becomes_the_event_that_records_it() -> None:
    event = parse_routing(TEXT).event(pool="main", version="v", at=1.0, applied_to=7)

    (family,) = event.families
    assert (family.family, family.simple_below, family.complex_from) == ("summarize", 100.0, 1000.0)
    assert family.tiers == ("cheap", "middle", "dear")
    assert [device.name for device in event.devices] == ["small", "large"]
    assert [(tier.name, tier.device) for tier in event.tiers][-1] == ("dear", "large")
    assert [(rule.domain, rule.least_tier) for rule in event.domains] == [
        ("reports", ""),
        ("contracts", "dear"),
        ("tickets", ""),
    ]


def test_an_empty_file_says_nothing() -> None:
    event = parse_routing("").event(pool="main", version="v", at=1.0, applied_to=7)

    assert (event.families, event.devices, event.tiers, event.domains) == ((), (), (), ())


def test_another_content_is_another_version() -> None:
    assert routing_version(TEXT) != routing_version(TEXT + "\n")
    assert len(routing_version(TEXT)) == 16


DOMAIN = '[[domain]]\nname = "{}"\nfamily = "summarize"\nprototypes = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[family", "not TOML"),
        (TEXT.replace("simple_below = 100", "simple_below = 1000"), "less than complex_from"),
        (TEXT.replace('device = "large"', 'device = "huge"'), "'huge'"),
        (TEXT.replace('least_tier = "dear"', 'least_tier = "free"'), "domain contracts names"),
        (TEXT.replace('"middle", "dear"]', '"middle", "free"]'), "family summarize names"),
        (TEXT.replace('name = "tickets"', 'name = "reports"'), "twice"),
        (TEXT.replace('family = "classify"', 'family = "auto"'), "'auto'"),
        (TEXT.replace('prototypes = ["What', 'examples = ["What'), "prototypes"),
        ("".join(DOMAIN.format(f"d{n}") for n in range(MAX_DOMAINS + 1)), "domain"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_place(text: str, named: str) -> None:
    with pytest.raises(InvalidRoutingError, match=named):
        parse_routing(text)


def test_the_files_of_the_repository_fit_together() -> None:
    file = parse_routing((INFRA / "routing/routing.toml").read_text(encoding="utf-8"))
    tasks = parse_labelled((INFRA / "routing/labelled.jsonl").read_text(encoding="utf-8"))

    families = {domain.name: domain.family for domain in file.domain}
    assert {family.name for family in file.family} == set(families.values())
    assert {device.name for device in file.device} >= {task.device for task in tasks}
    assert all(families[task.domain] == task.family for task in tasks)


def test_no_labelled_task_is_a_prototype() -> None:
    file = parse_routing((INFRA / "routing/routing.toml").read_text(encoding="utf-8"))
    tasks = parse_labelled((INFRA / "routing/labelled.jsonl").read_text(encoding="utf-8"))

    known = {text for texts in file.prototypes.values() for text in texts}
    texts = [task.text for task in tasks]
    assert len(set(texts)) == len(texts) >= 150
    assert not known & set(texts)


def test_a_wrong_line_of_the_set_is_named() -> None:
    line = '{"text": "a", "domain": "d", "family": "f", "band": "simple", "device": "x"'

    assert parse_labelled(line + ', "split": "test"}')[0].attached_bytes == 0
    with pytest.raises(InvalidRoutingError, match="line 2: split"):
        parse_labelled(line + ', "split": "test"}\n' + line + ', "split": "dev"}')
