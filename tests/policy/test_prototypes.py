"""Embeddings of texts and their similarity to domains."""

from math import sqrt
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.hashed_text import DIMENSIONS, EDGE_CHARS, TextWeights, read_text
from pointsman.policy.prototypes import Prototypes

DOMAINS = {
    "reports": ("Summarise this report.", "The main points of the article, please."),
    "stories": ("Tell me a story about a dragon.",),
}


@given(text=st.text(max_size=200))
def test_a_vector_has_length_one_or_nothing(text: str) -> None:
    vector = TextWeights(["a report", "a story"]).embed(text)

    length = sqrt(sum(weight * weight for weight in vector.values()))
    assert not vector or length == pytest.approx(1.0)
    assert all(0 <= dimension < DIMENSIONS for dimension in vector)


def test_the_same_text_has_the_same_vector_in_every_process() -> None:
    vector = TextWeights([]).embed("summary")

    assert max(vector, key=lambda dimension: vector[dimension]) == crc32(b"summary") % DIMENSIONS


@given(text=st.text(max_size=200))
def test_similarities_are_shares(text: str) -> None:
    found = Prototypes(DOMAINS).similarities(text)

    assert set(found) == set(DOMAINS)
    assert all(0.0 <= similarity <= 1.0 for similarity in found.values())


def test_a_prototype_itself_is_most_like_its_domain() -> None:
    prototypes = Prototypes(DOMAINS)

    for domain, texts in DOMAINS.items():
        for text in texts:
            found = prototypes.similarities(text)
            assert max(found, key=lambda name: found[name]) == domain


def test_inflected_words_are_near() -> None:
    found = Prototypes(DOMAINS).similarities("A summary of the articles and reporting")

    assert found["reports"] > 2 * found["stories"]


def test_a_long_text_is_looked_at_where_it_begins_and_ends() -> None:
    payload = b"begin " + b"x" * (3 * EDGE_CHARS) + b" end"

    text = read_text(payload)

    assert len(text) == 2 * EDGE_CHARS + 1
    assert text.startswith("begin ")
    assert text.endswith(" end")


def test_bytes_that_are_no_text_say_nothing() -> None:
    assert read_text(b"\x00\x01\x02 report") == ""
    assert read_text("Übersicht".encode()[:-1] + b"\xff") == "Übersich\ufffd"
