"""A blob store that keeps its contents in memory, for tests; nothing survives the process."""

from pointsman.contracts.message import BlobRef
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobCorruptError, BlobMissingError, digest, require_size


class MemoryBlobs:
    """Implements `runtime.blobs.Blobs` without a disk."""

    def __init__(self, shard: str = "memory") -> None:
        self._shard = shard
        self.kinds: dict[str, BlobKind] = {}
        """What each content was last put for, by digest."""
        self._contents: dict[tuple[str, str], bytes] = {}

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        require_size(data)
        address = digest(tenant, data)
        self.kinds[address] = kind
        self._contents[tenant, address] = data
        return BlobRef(digest=address, size=len(data), media_type=media_type, shard=self._shard)

    async def get(self, tenant: str, ref: BlobRef) -> bytes:
        data = self._contents.get((tenant, ref.digest))
        if data is None or ref.shard != self._shard:
            raise BlobMissingError(ref, "no such content")
        if digest(tenant, data) != ref.digest:
            raise BlobCorruptError(ref, "the content does not match its digest")
        return data

    async def close(self) -> None:
        """Contents stay readable."""

    def corrupt(self, tenant: str, ref: BlobRef) -> None:
        """Change the stored bytes behind the digest, as a failing disk would."""
        self._contents[tenant, ref.digest] = b"\0" + self._contents[tenant, ref.digest]
