"""S3: buckets of objects, listings, uploads in parts."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from scones.local.identity import Identity
from scones.local.services.s3.buckets import Buckets
from scones.local.services.s3.copying import Copies
from scones.local.services.s3.listing import Listings
from scones.local.services.s3.objects import Objects
from scones.local.services.s3.shelf import Shelf
from scones.local.services.s3.upload_listing import UploadListings
from scones.local.services.s3.uploads import Uploads


class S3(Buckets, Objects, Copies, Listings, Uploads, UploadListings):
    """S3 for one owner, without versions: what a client stores is there after kill -9."""

    def __init__(
        self, *, home: Path, identity: Identity, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(Shelf(home, identity, clock))

    async def __aenter__(self) -> "S3":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shelf.store.close()
