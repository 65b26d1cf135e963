"""What every blob store must do; subclassed once per implementation."""

import hashlib

import msgspec
import pytest

from pointsman.contracts.message import BlobRef
from pointsman.runtime import blobs as blobs_module
from pointsman.runtime.blobs import BlobMissingError, Blobs, BlobTooLargeError


class BlobsContract:
    """Subclasses give the fixture `blobs`."""

    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
    async def test_a_content_is_read_back_as_it_was_put(self, blobs: Blobs, size: int) -> None:
        content = bytes(range(256)) * (size // 256 + 1)

        ref = await blobs.put("acme", content[:size], "text/plain")

        assert await blobs.get("acme", ref) == content[:size]
        assert (ref.size, ref.media_type) == (size, "text/plain")

    async def test_the_address_is_the_digest_of_tenant_and_content(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", b"hello", "text/plain")

        assert ref.digest == hashlib.sha256(b"acme\0hello").hexdigest()

    async def test_the_same_content_has_the_same_address(self, blobs: Blobs) -> None:
        first = await blobs.put("acme", b"hello", "text/plain")

        assert await blobs.put("acme", b"hello", "text/plain") == first

    async def test_another_tenant_does_not_find_it(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", b"hello", "text/plain")

        with pytest.raises(BlobMissingError):
            await blobs.get("globex", ref)

    async def test_a_content_that_was_never_put_is_missing(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", b"hello", "text/plain")
        unknown = msgspec.structs.replace(ref, digest="0" * 64)

        with pytest.raises(BlobMissingError) as caught:
            await blobs.get("acme", unknown)

        assert caught.value.ref == unknown

    @pytest.mark.parametrize("shard", ["nowhere", "", "../other", "a/b", "a.db"])
    async def test_a_shard_that_is_not_there_holds_nothing(self, blobs: Blobs, shard: str) -> None:
        ref = BlobRef(digest="0" * 64, size=1, media_type="text/plain", shard=shard)

        with pytest.raises(BlobMissingError):
            await blobs.get("acme", ref)

    async def test_too_large_a_content_is_refused(
        self, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blobs_module, "MAX_BLOB_BYTES", 1000)

        with pytest.raises(BlobTooLargeError) as caught:
            await blobs.put("acme", bytes(1001), "text/plain")

        assert caught.value.size == 1001
        assert (await blobs.put("acme", bytes(1000), "text/plain")).size == 1000
