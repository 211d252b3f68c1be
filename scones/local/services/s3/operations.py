"""What each group of S3's operations is built on."""

from scones.local.services.s3.shelf import Shelf


class Operations:
    """A group of operations on one shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
