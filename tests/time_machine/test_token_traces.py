"""Published traces become ours; every row here is made up."""

import pytest

from pointsman.time_machine.token_traces import LAYOUTS, Served, convert
from pointsman.time_machine.traces import TraceError

SERVED = Served(model="llm", input_tokens_per_s=1_000.0, output_tokens_per_s=10.0)
AZURE = [
    "TIMESTAMP,ContextTokens,GeneratedTokens\n",
    "2023-11-16 18:15:46.6805900,500,20\n",
    "2023-11-16 18:15:47.1805900,1000,0\n",
]
MOONCAKE = [
    '{"timestamp": 2000, "input_length": 1000, "output_length": 5, "hash_ids": [1, 2]}\n',
    '{"timestamp": 500, "input_length": 100, "output_length": 10}\n',
    "\n",
]


def test_an_azure_trace_is_converted() -> None:
    first, second = convert("azure", AZURE, SERVED)

    assert (first.arrival_s, first.service_s) == (0.0, pytest.approx(2.5))
    assert (second.arrival_s, second.service_s) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (first.input_tokens, first.output_tokens, first.model) == (500, 20, "llm")


def test_an_azure_trace_with_time_zones_is_the_same() -> None:
    with_zones = [line.replace(",", "+00:00,", 1) for line in AZURE[1:]]

    assert convert("azure", [AZURE[0], *with_zones], SERVED) == convert("azure", AZURE, SERVED)


def test_a_mooncake_trace_is_converted_and_sorted() -> None:
    first, second = convert("mooncake", MOONCAKE, SERVED)

    assert (first.arrival_s, first.service_s) == (0.0, pytest.approx(1.1))
    assert (second.arrival_s, second.service_s) == (1.5, pytest.approx(1.5))
    assert [first.number, second.number] == [0, 1]


@pytest.mark.parametrize(
    ("layout", "lines", "code"),
    [
        ("azure", AZURE[:1], "trace_empty"),
        ("azure", [AZURE[0], "yesterday,1,2\n"], "trace_value"),
        ("azure", [AZURE[0], "2023-11-16 18:15:46,few,2\n"], "trace_value"),
        ("azure", [AZURE[0], "2023-11-16 18:15:46,1\n"], "trace_value"),
        ("azure", [AZURE[0], "2023-11-16 18:15:46,-1,2\n"], "trace_value"),
        ("azure", MOONCAKE, "trace_value"),
        ("mooncake", [], "trace_empty"),
        ("mooncake", AZURE, "trace_value"),
        ("mooncake", ['{"timestamp": 1}\n'], "trace_value"),
        ("mooncake", ["[1, 2]\n"], "trace_value"),
        (
            "mooncake",
            ['{"timestamp": NaN, "input_length": 1, "output_length": 1}\n'],
            "trace_value",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(layout: str, lines: list[str], code: str) -> None:
    with pytest.raises(TraceError) as error:
        convert(layout, lines, SERVED)

    assert error.value.code == code
    assert "each line needs" in error.value.next_step or code == "trace_empty"


def test_the_field_is_named_with_what_stands_there() -> None:
    few = "2023-11-16 18:15:46,few,2\n"
    endless = f'{{"timestamp": 1, "input_length": 1{"0" * 400}, "output_length": 1}}\n'

    with pytest.raises(TraceError, match="line 2: ContextTokens is 'few'"):
        convert("azure", [AZURE[0], few], SERVED)
    with pytest.raises(TraceError, match="line 1: input_length is missing"):
        convert("mooncake", ['{"timestamp": 1}\n'], SERVED)
    with pytest.raises(TraceError, match="line 1: input_length is 10000"):
        convert("mooncake", [endless], SERVED)
    with pytest.raises(TraceError, match="line 1: it is not JSON"):
        convert("mooncake", AZURE, SERVED)


def test_there_are_two_layouts() -> None:
    assert sorted(LAYOUTS) == ["azure", "mooncake"]
