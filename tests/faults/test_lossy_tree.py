"""What a power cut leaves of a file tree."""

import errno
import random

import pytest

from pointsman.testing.lossy_tree import PAGE, LossyTree


@pytest.fixture
def tree() -> LossyTree:
    return LossyTree()


def write(tree: LossyTree, path: str, content: bytes, *, synced: bool) -> None:
    file = tree.create(path, 0o600)
    file.write(content, 0)
    if synced:
        tree.sync(path, file)


def cut(tree: LossyTree, share: float = 0.0, seed: int = 1) -> int:
    lost = tree.cut(share, random.Random(seed))
    tree.power_on()
    return lost


def names(tree: LossyTree, path: str = "/") -> set[str]:
    return set(tree.directory(path).names)


def content(tree: LossyTree, path: str) -> bytes:
    return bytes(tree.file(path).content)


def test_what_was_synced_stays_with_the_directories_that_lead_to_it(tree: LossyTree) -> None:
    tree.make_directory("/a", 0o700)
    tree.make_directory("/a/b", 0o700)
    write(tree, "/a/b/kept", b"content", synced=True)

    cut(tree)

    assert content(tree, "/a/b/kept") == b"content"


def test_a_file_that_was_never_synced_is_gone(tree: LossyTree) -> None:
    write(tree, "/gone", b"content", synced=False)

    lost = cut(tree)

    assert names(tree) == set()
    assert lost == 2, "the file and the directory with its name"


def test_a_file_goes_back_to_its_last_sync(tree: LossyTree) -> None:
    write(tree, "/file", b"old" * PAGE, synced=True)
    tree.file("/file").write(b"new", 5)
    tree.file("/file").resize(10 * PAGE)

    cut(tree)

    assert content(tree, "/file") == b"old" * PAGE


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE])
def test_a_synced_change_of_size_stays(tree: LossyTree, size: int) -> None:
    write(tree, "/file", b"x" * (2 * PAGE + 7), synced=True)
    tree.file("/file").resize(size)
    tree.sync("/file", tree.file("/file"))

    cut(tree)

    expected = (b"x" * (2 * PAGE + 7))[:size].ljust(size, b"\0")
    assert content(tree, "/file") == expected


def test_a_removal_is_undone_until_its_directory_was_synced(tree: LossyTree) -> None:
    for name in ("back", "gone"):
        write(tree, f"/{name}", b"content", synced=True)
    tree.remove("/gone")
    tree.sync_directory("/")
    tree.remove("/back")

    cut(tree)

    assert names(tree) == {"back"}
    assert content(tree, "/back") == b"content"


def test_a_rename_is_undone_until_its_directory_was_synced(tree: LossyTree) -> None:
    write(tree, "/new", b"2", synced=True)
    write(tree, "/file", b"1", synced=True)
    tree.rename("/new", "/file")

    cut(tree)
    assert (content(tree, "/file"), content(tree, "/new")) == (b"1", b"2")

    tree.rename("/new", "/file")
    tree.sync_directory("/")
    cut(tree)
    assert (content(tree, "/file"), names(tree)) == (b"2", {"file"})


def test_some_unsynced_pages_reach_the_disk_all_the_same_in_no_order(tree: LossyTree) -> None:
    write(tree, "/file", b"0" * (64 * PAGE), synced=True)
    tree.file("/file").write(b"1" * (64 * PAGE), 0)

    cut(tree, share=0.5)

    pages = [content(tree, "/file")[n * PAGE : (n + 1) * PAGE] for n in range(64)]
    assert {*pages} == {b"0" * PAGE, b"1" * PAGE}


def test_without_power_nothing_works(tree: LossyTree) -> None:
    write(tree, "/file", b"content", synced=True)
    tree.cut(0, random.Random(1))

    with pytest.raises(OSError, match="power") as caught:
        tree.file("/file")

    assert caught.value.errno == errno.EIO


def test_syncs_may_fail_for_some_paths_and_keep_nothing_then(tree: LossyTree) -> None:
    write(tree, "/good", b"good", synced=True)
    write(tree, "/bad", b"bad", synced=False)
    tree.fail_syncs = "bad"

    with pytest.raises(OSError, match="bad"):
        tree.sync("/bad", tree.file("/bad"))

    tree.sync("/good", tree.file("/good"))
    cut(tree)
    assert names(tree) == {"good"}
