"""Pages that repeat the code are generated from it, so that they cannot drift."""

from pathlib import Path

import pytest

from tests.architecture.generated_pages import DOCUMENTS, GENERATED, generated

PAGE = "above\n<!-- generated: table -->\nold\n<!-- end of table -->\nbelow\n"


@pytest.mark.parametrize(("path", "name"), list(GENERATED), ids=lambda part: Path(part).name)
def test_a_generated_part_is_what_the_code_says(path: Path, name: str) -> None:
    page = path.read_text(encoding="utf-8")

    fresh = generated(page, name, GENERATED[path, name]())

    assert page == fresh, f"{path.name} is stale; run: ./dev docs"


@pytest.mark.parametrize("path", list(DOCUMENTS), ids=lambda path: path.name)
def test_a_generated_document_is_what_the_code_says(path: Path) -> None:
    # Compared as one flag: a difference of two long documents takes minutes to describe.
    same = path.read_text(encoding="utf-8") == DOCUMENTS[path]()

    assert same, f"{path.name} is stale; run: ./dev docs"


def test_only_the_marked_place_is_replaced() -> None:
    page = generated(PAGE, "table", r"new \1")

    assert page == PAGE.replace("old", "\nnew \\1\n")
    assert generated(page, "table", r"new \1") == page


@pytest.mark.parametrize("page", ["no place\n", PAGE + PAGE], ids=["none", "two"])
def test_a_page_without_exactly_one_place_is_refused(page: str) -> None:
    with pytest.raises(LookupError, match="table"):
        generated(page, "table", "new")
