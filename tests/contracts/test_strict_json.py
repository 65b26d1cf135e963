"""One strict parser for every edge: what other parsers disagree about is refused."""

import contextlib
import json
import time
from typing import Final, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.contracts.strict_json import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NUMBER_CHARS,
    MalformedJsonError,
    parse,
    parse_object,
)

TEXT: Final = st.text().filter(lambda text: "\0" not in text)
NUMBERS: Final = st.integers(min_value=-(10**30), max_value=10**30) | st.floats(
    allow_nan=False, allow_infinity=False
)
DOCUMENTS: Final = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)

REFUSED: Final = {
    "nested-1e5-lists": (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
    "nested-1e5-objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
    "nested-unclosed": (b"[" * 100_000, "too_deep"),
    "one-too-deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "too_deep"),
    "integer-of-5000-digits": (b"9" * 5000, "long_number"),
    "integer-one-too-long": (b"1" * (MAX_NUMBER_CHARS + 1), "long_number"),
    "fraction-too-long": (b"0." + b"1" * MAX_NUMBER_CHARS, "long_number"),
    "float-out-of-range": (b"[1e999]", "not_finite"),
    "nan": (b"NaN", "not_finite"),
    "infinity": (b'{"a":Infinity}', "not_finite"),
    "minus-infinity": (b"[-Infinity]", "not_finite"),
    "repeated-key": (b'{"a":1,"b":2,"a":1}', "repeated_key"),
    "repeated-key-inside": (b'[{"x":{"a":1,"a":2}}]', "repeated_key"),
    "repeated-key-escaped": (b'{"a":1,"\\u0061":2}', "repeated_key"),
    "lone-high-surrogate": (b'"\\ud83d"', "lone_surrogate"),
    "lone-low-surrogate": (b'["\\uDE00"]', "lone_surrogate"),
    "lone-surrogate-in-key": (b'{"\\ud83d":1}', "lone_surrogate"),
    "swapped-surrogates": (b'"\\ude00\\ud83d"', "lone_surrogate"),
    "surrogate-as-utf8": (b'"\xed\xa0\xbd"', "not_utf8"),
    "escaped-nul": (b'"a\\u0000b"', "nul_character"),
    "escaped-backslash-then-escaped-nul": (b'"\\\\\\u0000"', "nul_character"),
    "raw-nul": (b'"a\x00b"', "not_json"),
    "byte-order-mark": (b"\xef\xbb\xbf{}", "byte_order_mark"),
    "utf16": ("{}".encode("utf-16"), "not_utf8"),
    "latin1": (b'"\xfc"', "not_utf8"),
    "overlong-utf8": (b'"\xc0\xaf"', "not_utf8"),
    "raw-newline": (b'"a\nb"', "not_json"),
    "bad-escape": (b'"\\x41"', "not_json"),
    "unclosed": (b'{"a":1', "not_json"),
    "unclosed-string": (b'"abc', "not_json"),
    "empty": (b"", "not_json"),
    "two-documents": (b"{}{}", "not_json"),
    "trailing-comma": (b"[1,]", "not_json"),
    "leading-zero": (b"01", "not_json"),
    "single-quotes": (b"{'a':1}", "not_json"),
    "comment": (b"{} // nothing", "not_json"),
    "too-large": (b'"' + b"a" * MAX_BYTES + b'"', "too_large"),
}

# Each took minutes with a scanner that starts again behind every failure.
SLOW: Final = {
    "unclosed-string-of-escaped-quotes": b'"' + b'\\"' * 500_000,
    "half-an-escape-at-the-end": b'"' + b'\\"' * 500_000 + b"\\",
    "backslashes-before-a-nul-elsewhere": b'["' + b"\\" * 1_000_000 + b'","\\u0000"]',
    "escaped-line-ends": b'"' + b"\\\n" * 500_000,
    "quotation-marks": b'"' * MAX_BYTES,
    "brackets": b"[]" * (MAX_BYTES // 2),
}


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
def test_what_readers_would_disagree_about_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(MalformedJsonError) as refused:
        parse(body)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\\\\\\\u0000"', "\\\\u0000"),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"\\\\ud83d"', "\\ud83d"),
        ('"\N{RIGHT-TO-LEFT OVERRIDE}abc"'.encode(), "\N{RIGHT-TO-LEFT OVERRIDE}abc"),
        (b"9" * MAX_NUMBER_CHARS, int("9" * MAX_NUMBER_CHARS)),
        (b" [1 , -0.5e2]\r\n", [1, -50.0]),
        (b'{"":{"a":null}}', {"": {"a": None}}),
        (b'"[[[[{{{{"', "[[[[{{{{"),
    ],
)
def test_what_only_looks_forbidden_is_taken(body: bytes, document: object) -> None:
    assert parse(body) == document


def test_the_deepest_document_that_is_taken() -> None:
    document = parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)

    for _ in range(MAX_DEPTH - 1):
        document = cast("list[object]", document)[0]
    assert document == []


def test_brackets_inside_strings_are_not_depth() -> None:
    body = json.dumps(["[" * 1000, '"\\' + "{" * 1000]).encode()

    assert parse(body) == ["[" * 1000, '"\\' + "{" * 1000]


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW)
def test_a_hostile_document_costs_no_more_than_its_length(body: bytes) -> None:
    began = time.process_time()

    with pytest.raises(MalformedJsonError):
        parse(body)

    # Linear work takes some 50 ms, quadratic work minutes.
    assert time.process_time() - began < 5


def test_an_error_repeats_little_of_the_document() -> None:
    key = "k" * 100_000

    with pytest.raises(MalformedJsonError) as refused:
        parse(f'{{"{key}":1,"{key}":2}}'.encode())

    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"1", b"null"])
def test_a_document_that_must_be_an_object_is_one(body: bytes) -> None:
    with pytest.raises(MalformedJsonError) as refused:
        parse_object(body)

    assert refused.value.code == "not_an_object"
    assert parse_object(b'{"a":[]}') == {"a": []}


@given(document=DOCUMENTS, ascii_only=st.booleans())
def test_any_json_value_within_the_limits_is_read_as_it_was_written(
    document: object, *, ascii_only: bool
) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()

    assert parse(body) == document


@given(body=st.binary(max_size=200))
@example(body=b'"\\')
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    with contextlib.suppress(MalformedJsonError):
        document = parse(body)

        assert document == json.loads(body)


@given(pieces=st.lists(st.sampled_from([*'[]{}",:\\', "\\u", "d83d", "0000", "1", "e9"])))
def test_no_text_that_looks_like_json_raises_anything_but_a_refusal(pieces: list[str]) -> None:
    with contextlib.suppress(MalformedJsonError):
        document = parse("".join(pieces).encode())

        assert parse(json.dumps(document).encode()) == document
