"""The context pool as a bounded memory."""

from uuid import UUID

import hypothesis.strategies as st
from hypothesis import given

from pointsman.context.domain.choice import CANDIDATES
from pointsman.context.domain.context_pool import ContextPool, Remembered, Words
from pointsman.context.domain.conversation import Conversation, Turn
from pointsman.context.domain.responses import response_key
from pointsman.contracts.message import BlobRef

REF = BlobRef(digest="0" * 64, size=3, media_type="text/plain")


def remembered(turns: int, chars: int = 10) -> Remembered:
    conversation = Conversation.start("acme", None, "chat", at=1.0)
    for number in range(turns):
        turn = Turn(
            task=UUID(int=number),
            family="summarize",
            variant="v",
            input=REF,
            result=REF,
            input_tokens=1,
            result_tokens=1,
            accepted_at=1.0,
            completed_at=2.0,
        )
        conversation.append(turn, at=3.0)
    words = {number: Words("x" * chars, "y") for number in range(1, turns + 1)}
    return Remembered(conversation, words)


uses = st.lists(
    st.tuples(st.sampled_from(["keep", "find", "forget", "resize"]), st.integers(0, 9),
              st.integers(0, 60_000)),
    max_size=40,
)  # fmt: skip


@given(uses=uses)
def test_the_pool_never_exceeds_its_capacity_and_knows_its_size(
    uses: list[tuple[str, int, int]],
) -> None:
    pool, kept = ContextPool(40_000), dict[UUID, int]()
    for what, key, number in uses:
        stream = UUID(int=key)
        if what == "keep":
            entry = remembered(2, chars=number)
            pool.keep(stream, entry)
            kept[stream] = entry.size
        elif what == "forget":
            pool.forget(stream)
        elif what == "resize":
            pool.resize(number)
        else:
            pool.find(stream)

        there = [stream for stream in kept if pool.find(stream) is not None]
        assert pool.size == sum(kept[stream] for stream in there) <= pool.capacity
        assert len(pool) == len(there)


def test_the_least_recently_used_goes_out_first() -> None:
    size = remembered(2).size
    pool = ContextPool(2 * size)
    one, two, three = (UUID(int=number) for number in range(3))
    pool.keep(one, remembered(2))
    pool.keep(two, remembered(2))
    pool.find(one)

    pool.keep(three, remembered(2))

    assert pool.find(two) is None
    assert pool.find(one) is not None
    assert pool.evictions == 1


def test_what_is_larger_than_the_pool_displaces_nothing() -> None:
    pool = ContextPool(20_000)
    pool.keep(UUID(int=1), remembered(1))

    pool.keep(UUID(int=2), remembered(1, chars=30_000))

    assert pool.find(UUID(int=1)) is not None
    assert (len(pool), pool.evictions) == (1, 0)


def test_words_of_turns_that_are_no_candidates_any_more_are_forgotten() -> None:
    pool, entry = ContextPool(1_000_000), remembered(CANDIDATES + 5)

    pool.keep(UUID(int=1), entry)

    assert sorted(entry.words) == list(range(6, CANDIDATES + 6))


parts = st.tuples(
    st.sampled_from(["acme", "globex"]),
    st.sampled_from(["summarize", "embed"]),
    st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3),
    st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from("123"), max_size=3),
    st.sampled_from(["0" * 64, "1" * 64]),
)


@given(one=parts, other=parts)
def test_keys_are_equal_exactly_when_everything_is(
    one: tuple[str, str, list[str], dict[str, str] | None, str],
    other: tuple[str, str, list[str], dict[str, str] | None, str],
) -> None:
    same = [*one[:3], one[3] or {}, one[4]] == [*other[:3], other[3] or {}, other[4]]

    assert (response_key(*one) == response_key(*other)) is same
