"""Ratings of results that were merged from those of several parts."""

from pathlib import Path

from tests.feedback.world import feedback


async def test_a_rating_of_a_merged_result_is_kept_and_teaches_nothing_of_a_variant(
    tmp_path: Path,
) -> None:
    async with feedback(tmp_path) as here:
        ids = await here.rate("", value=False, times=3)

        ratings = here.learned.ratings

        assert all(ratings.get(rating) is not None for rating in ids)
        assert ratings.lesson("summarize").tallies == {}
        assert ratings.variants("summarize") == set()
