"""AWS's regions, as botocore lists them."""

import difflib

from botocore.loaders import Loader


def check(name: str) -> None:
    """ValueError for what is no region of AWS; close ones are offered."""
    partitions = Loader().load_data("partitions")["partitions"]
    known = sorted(
        region
        for partition in partitions
        for region in partition["regions"]
        if not region.endswith("-global")
    )
    if name in known:
        return
    close = difflib.get_close_matches(name, known, 3)
    offered = f"did you mean {' or '.join(close)}?" if close else "such as us-east-1 or eu-west-1"
    raise ValueError(f"region is {name!r}; it should be one of AWS's, {offered}")
